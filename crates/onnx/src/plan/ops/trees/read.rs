//! The attributes of the tree operators to trees and what their leaves add.

use super::super::*;
use super::forest::{Aggregate, Forest, Payload};
use super::plain::{Mode, Raw, Tree};
use std::collections::HashMap;

/// A list of numbers that is there as floats or as a tensor.
pub(super) fn numbers<T: Real>(
    attributes: &mut attrs::Attributes,
    [name, as_tensor]: [&'static str; 2],
) -> Result<Option<Vec<T>>, Fault> {
    if let Some(tensor) = attributes.tensor(as_tensor)? {
        return match tensor.data {
            Data::F32(list) => Ok(Some(
                list.into_iter()
                    .map(|value| T::from_f64(f64::from(value)))
                    .collect(),
            )),
            Data::F64(list) => Ok(Some(list.into_iter().map(T::from_f64).collect())),
            _ => Err(Fault::attribute(
                as_tensor,
                &"a tensor of other values",
                "FLOAT or DOUBLE",
            )),
        };
    }
    let list = attributes.floats(name)?;
    Ok(list.map(|list| {
        list.into_iter()
            .map(|value| T::from_f64(f64::from(value)))
            .collect()
    }))
}

fn index(name: &'static str, value: i64) -> Result<u32, Fault> {
    let index = u32::try_from(value).ok().filter(|index| *index < 1 << 30);
    index.ok_or_else(|| Fault::attribute(name, &value, "a number from 0 to 1073741823"))
}

/// The nodes of one tree: `start..end` of the lists, and where each of its ids is.
struct Range {
    start: usize,
    end: usize,
    /// `None` where ids count from 0 on, as they mostly do.
    ids: Option<HashMap<i64, u32>>,
}

impl Range {
    fn find(&self, id: i64) -> Option<u32> {
        match &self.ids {
            Some(ids) => ids.get(&id).copied(),
            None => u32::try_from(id)
                .ok()
                .filter(|id| (*id as usize) < self.end - self.start),
        }
    }
}

/// Trees one after the other, each in one piece.
fn ranges(tree_ids: &[i64], node_ids: &[i64]) -> Result<(Vec<Range>, HashMap<i64, usize>), Fault> {
    let (mut ranges, mut by_id) = (Vec::new(), HashMap::new());
    let mut start = 0;
    while start < tree_ids.len() {
        let id = tree_ids[start];
        let end = start + tree_ids[start..].iter().take_while(|other| **other == id).count();
        if by_id.insert(id, ranges.len()).is_some() {
            return Err(Fault::attribute("nodes_treeids", &id, "each tree in one piece"));
        }
        let nodes = &node_ids[start..end];
        let ids = if (0i64..).zip(nodes).all(|(place, id)| place == *id) {
            None
        } else {
            let mut ids = HashMap::with_capacity(nodes.len());
            for (place, id) in (0u32..).zip(nodes) {
                if ids.insert(*id, place).is_some() {
                    return Err(Fault::attribute("nodes_nodeids", id, "each node of a tree once"));
                }
            }
            Some(ids)
        };
        ranges.push(Range { start, end, ids });
        start = end;
    }
    Ok((ranges, by_id))
}

/// What a leaf adds, in the order of the file: `(leaf, target, value)`.
struct Weights<T> {
    /// By node of the lists: first of its entries, and one more for the end.
    starts: Vec<u32>,
    entries: Vec<(u32, T)>,
}

impl<T: Real> Weights<T> {
    fn new(nodes: usize, list: Vec<(usize, u32, T)>) -> Self {
        let mut starts = vec![0u32; nodes + 1];
        list.iter().for_each(|(node, ..)| starts[node + 1] += 1);
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, T::default()); list.len()];
        for (node, target, value) in list {
            entries[next[node] as usize] = (target, value);
            next[node] += 1;
        }
        Weights { starts, entries }
    }

    fn of(&self, node: usize) -> &[(u32, T)] {
        &self.entries[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

/// Trees of ml opsets 1 to 3; `prefix` is `class` or `target`, `width` how many there are.
pub(super) fn forest<T: Real>(
    build: &mut Build<'_>,
    names: [&'static str; 5],
    width: usize,
    aggregate: Aggregate,
) -> Result<Forest<T>, Fault> {
    let attributes = &mut build.attributes;
    attributes.ignore("nodes_hitrates");
    attributes.ignore("nodes_hitrates_as_tensor");
    let modes = attrs::required(
        "nodes_modes",
        attributes.words("nodes_modes")?,
        "the kinds of the nodes",
    )?;
    let count = modes.len();
    let mut column = |name| -> Result<Vec<i64>, Fault> {
        let list = attrs::required(name, attributes.ints(name)?, "a number for each node")?;
        same_count(name, list.len(), count)?;
        Ok(list)
    };
    let (tree_ids, node_ids) = (column("nodes_treeids")?, column("nodes_nodeids")?);
    let features = column("nodes_featureids")?;
    let (yes, no) = (column("nodes_truenodeids")?, column("nodes_falsenodeids")?);
    let tracks = attributes
        .ints("nodes_missing_value_tracks_true")?
        .unwrap_or_default();
    let values = numbers::<T>(attributes, ["nodes_values", "nodes_values_as_tensor"])?;
    let values = attrs::required("nodes_values", values, "a number for each node")?;
    same_count("nodes_values", values.len(), count)?;
    let [trees_name, nodes_name, ids_name, weights_name, weights_tensor] = names;
    let weights = numbers::<T>(attributes, [weights_name, weights_tensor])?;
    let weights = attrs::required(weights_name, weights, "what the leaves add")?;
    let mut column = |name| -> Result<Vec<i64>, Fault> {
        let list = attrs::required(name, attributes.ints(name)?, "a number for each weight")?;
        same_count(name, list.len(), weights.len())?;
        Ok(list)
    };
    let (weight_trees, weight_nodes, targets) = (column(trees_name)?, column(nodes_name)?, column(ids_name)?);

    let (ranges, by_id) = ranges(&tree_ids, &node_ids)?;
    let mut list = Vec::with_capacity(weights.len());
    // Weights mostly come tree after tree.
    let mut last: Option<(i64, &Range)> = None;
    for (entry, value) in weights.into_iter().enumerate() {
        let target = index(ids_name, targets[entry])?;
        if target as usize >= width {
            return Err(Fault::attribute(
                ids_name,
                &target,
                format!("a number below {width}"),
            ));
        }
        let id = weight_trees[entry];
        if last.is_none_or(|(tree, _)| tree != id) {
            last = by_id.get(&id).map(|range| (id, &ranges[*range]));
        }
        let range = last.map(|(_, range)| range);
        let node = range.and_then(|range| Some(range.start + range.find(weight_nodes[entry])? as usize));
        let node =
            node.ok_or_else(|| Fault::attribute(nodes_name, &weight_nodes[entry], "a node of the tree"))?;
        list.push((node, target, value));
    }
    let weights = Weights::new(count, list);

    let mut payload = Payload::new(width);
    let mut trees = Vec::with_capacity(ranges.len());
    let (mut raw, mut reached): (Vec<Raw<T>>, Vec<bool>) = Default::default();
    for range in &ranges {
        raw.clear();
        reached.clear();
        reached.resize(range.end - range.start, false);
        for node in range.start..range.end {
            let mode = mode(&modes[node])?;
            let child = |name, id: i64| match mode {
                Mode::Leaf => Ok(0),
                _ => range
                    .find(id)
                    .ok_or_else(|| Fault::attribute(name, &id, "a node of the same tree")),
            };
            raw.push(Raw {
                mode,
                feature: if mode == Mode::Leaf {
                    0
                } else {
                    index("nodes_featureids", features[node])?
                },
                value: values[node],
                yes: child("nodes_truenodeids", yes[node])?,
                no: child("nodes_falsenodeids", no[node])?,
                nan_yes: tracks.get(node).is_some_and(|track| *track == 1),
            });
        }
        let first = payload.leaves();
        trees.push(Tree::new(&raw, 0, &[], &mut reached, first, |place| {
            payload.push(weights.of(range.start + place as usize));
        })?);
        payload.end_tree();
    }
    Forest::new(trees, payload, aggregate)
}

fn mode(word: &[u8]) -> Result<Mode, Fault> {
    Ok(match word {
        b"BRANCH_LEQ" => Mode::Leq,
        b"BRANCH_LT" => Mode::Lt,
        b"BRANCH_GTE" => Mode::Gte,
        b"BRANCH_GT" => Mode::Gt,
        b"BRANCH_EQ" => Mode::Eq,
        b"BRANCH_NEQ" => Mode::Neq,
        b"LEAF" => Mode::Leaf,
        other => {
            let value = String::from_utf8_lossy(&other[..other.len().min(64)]).into_owned();
            let expected = "BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, BRANCH_EQ, BRANCH_NEQ or LEAF";
            return Err(Fault::attribute("nodes_modes", &value, expected));
        }
    })
}

/// Trees of ml opset 5: leaves have lists of their own, roots are named.
pub(super) fn forest_5<T: Real>(
    build: &mut Build<'_>,
    width: usize,
    aggregate: Aggregate,
) -> Result<Forest<T>, Fault> {
    let attributes = &mut build.attributes;
    attributes.ignore("nodes_hitrates");
    let mut column = |name| attrs::required(name, attributes.ints(name)?, "a list of numbers");
    let features = column("nodes_featureids")?;
    let (yes, no) = (column("nodes_truenodeids")?, column("nodes_falsenodeids")?);
    let (yes_leaf, no_leaf) = (column("nodes_trueleafs")?, column("nodes_falseleafs")?);
    let (roots, targets) = (column("tree_roots")?, column("leaf_targetids")?);
    let tracks = attributes
        .ints("nodes_missing_value_tracks_true")?
        .unwrap_or_default();
    let modes = attributes.tensor("nodes_modes")?;
    let modes = match attrs::required("nodes_modes", modes, "the kinds of the nodes")?.data {
        Data::I64(modes) => modes,
        _ => {
            return Err(Fault::attribute(
                "nodes_modes",
                &"a tensor of other values",
                "UINT8",
            ));
        }
    };
    let mut real = |name| numbers::<T>(attributes, [name, name]);
    let splits = attrs::required("nodes_splits", real("nodes_splits")?, "a number for each node")?;
    let weights = attrs::required("leaf_weights", real("leaf_weights")?, "a number for each leaf")?;
    let members = real("membership_values")?.unwrap_or_default();
    let count = modes.len();
    for (name, length) in [
        ("nodes_featureids", features.len()),
        ("nodes_truenodeids", yes.len()),
        ("nodes_falsenodeids", no.len()),
        ("nodes_trueleafs", yes_leaf.len()),
        ("nodes_falseleafs", no_leaf.len()),
        ("nodes_splits", splits.len()),
    ] {
        same_count(name, length, count)?;
    }
    same_count("leaf_targetids", targets.len(), weights.len())?;

    // Lists of the members, one for each node that asks for membership, NaN behind each.
    let mut sorted = Vec::with_capacity(members.len());
    let mut lists = members.split(|value| value.is_nan());
    let mut raw = Vec::with_capacity(count + weights.len());
    for node in 0..count {
        let mode = match modes[node] {
            0 => Mode::Leq,
            1 => Mode::Lt,
            2 => Mode::Gte,
            3 => Mode::Gt,
            4 => Mode::Eq,
            5 => Mode::Neq,
            6 => {
                let first = sorted.len();
                sorted.extend(lists.next().unwrap_or_default().iter().copied());
                sorted[first..]
                    .sort_unstable_by(|a: &T, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
                Mode::Member {
                    first,
                    last: sorted.len(),
                }
            }
            other => return Err(Fault::attribute("nodes_modes", &other, "0 to 6")),
        };
        let child = |name, id: i64, is_leaf: i64| {
            let (offset, most) = if is_leaf == 0 {
                (0, count)
            } else {
                (count, weights.len())
            };
            let place = usize::try_from(id)
                .ok()
                .filter(|id| *id < most)
                .map(|id| (offset + id) as u32);
            place.ok_or_else(|| Fault::attribute(name, &id, format!("below {most}")))
        };
        raw.push(Raw {
            mode,
            feature: index("nodes_featureids", features[node])?,
            value: if let Mode::Member { .. } = mode {
                T::default()
            } else {
                splits[node]
            },
            yes: child("nodes_truenodeids", yes[node], yes_leaf[node])?,
            no: child("nodes_falsenodeids", no[node], no_leaf[node])?,
            nan_yes: tracks.get(node).is_some_and(|track| *track == 1),
        });
    }
    raw.extend(weights.iter().map(|_| Raw {
        mode: Mode::Leaf,
        feature: 0,
        value: T::default(),
        yes: 0,
        no: 0,
        nan_yes: false,
    }));
    let mut payload = Payload::new(width);
    let mut trees = Vec::with_capacity(roots.len());
    let mut reached = vec![false; raw.len()];
    for root in &roots {
        let root = usize::try_from(*root).ok().filter(|root| *root < count);
        let root = root.ok_or_else(|| Fault::attribute("tree_roots", &roots, format!("below {count}")))?;
        let first = payload.leaves();
        let mut wrong = None;
        trees.push(Tree::new(
            &raw,
            root as u32,
            &sorted,
            &mut reached,
            first,
            |place| {
                let leaf = place as usize - count;
                match u32::try_from(targets[leaf])
                    .ok()
                    .filter(|target| (*target as usize) < width)
                {
                    Some(target) => payload.push(&[(target, weights[leaf])]),
                    None => wrong = Some(targets[leaf]),
                }
            },
        )?);
        if let Some(target) = wrong {
            return Err(Fault::attribute(
                "leaf_targetids",
                &target,
                format!("a number below {width}"),
            ));
        }
        payload.end_tree();
    }
    Forest::new(trees, payload, aggregate)
}
