//! Third pass: the parallel arrays of a tree operator to nodes.

use super::ReadError;
use crate::ensemble::{Node, Tree};
use crate::proto::AttributeProto;
use crate::proto::attribute_proto::AttributeType;
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// The attributes of one operator, taken by name; what is left over is unknown.
pub(super) struct Attributes {
    operator: &'static str,
    by_name: BTreeMap<String, AttributeProto>,
}

impl Attributes {
    pub(super) fn new(operator: &'static str, list: Vec<AttributeProto>) -> Result<Self, ReadError> {
        let mut by_name = BTreeMap::new();
        for attribute in list {
            let name = attribute.name().to_owned();
            if let Some(earlier) = by_name.insert(name, attribute) {
                let attribute = super::short(&earlier.name());
                return Err(ReadError::DuplicateAttribute { operator, attribute });
            }
        }
        Ok(Attributes { operator, by_name })
    }

    /// The attribute of that name with its value cleared by `value`; anything else in it is refused.
    fn take<T>(
        &mut self,
        name: &'static str,
        kind: AttributeType,
        value: impl FnOnce(&mut AttributeProto) -> Option<T>,
    ) -> Result<T, ReadError> {
        let Some(mut attribute) = self.by_name.remove(name) else {
            return Err(ReadError::MissingAttribute {
                operator: self.operator,
                attribute: name,
            });
        };
        let value = value(&mut attribute);
        let empty = AttributeProto {
            name: Some(name.into()),
            r#type: Some(kind as i32),
            doc_string: attribute.doc_string.take(),
            ..AttributeProto::default()
        };
        attribute.doc_string.clone_from(&empty.doc_string);
        match value {
            Some(value) if attribute == empty => Ok(value),
            _ => Err(ReadError::AttributeType {
                attribute: name,
                expected: kind.as_str_name(),
            }),
        }
    }

    pub(super) fn int(&mut self, name: &'static str) -> Result<i64, ReadError> {
        self.take(name, AttributeType::Int, |attribute| attribute.i.take())
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<String, ReadError> {
        let bytes = self.take(name, AttributeType::String, |attribute| attribute.s.take())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn ints(&mut self, name: &'static str) -> Result<Vec<i64>, ReadError> {
        self.take(name, AttributeType::Ints, |attribute| {
            Some(std::mem::take(&mut attribute.ints))
        })
    }

    pub(super) fn floats(&mut self, name: &'static str) -> Result<Vec<f32>, ReadError> {
        self.take(name, AttributeType::Floats, |attribute| {
            Some(std::mem::take(&mut attribute.floats))
        })
    }

    fn strings(&mut self, name: &'static str) -> Result<Vec<Bytes>, ReadError> {
        self.take(name, AttributeType::Strings, |attribute| {
            Some(std::mem::take(&mut attribute.strings))
        })
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), ReadError> {
        match self.by_name.into_keys().next() {
            Some(name) => Err(ReadError::UnknownAttribute {
                operator: self.operator,
                attribute: super::short(&name),
            }),
            None => Ok(()),
        }
    }
}

/// The trees of one operator; `prefix` is `class` or `target`, `width` the outputs of each leaf.
pub(super) fn trees(
    attributes: &mut Attributes,
    prefix: &'static str,
    width: usize,
) -> Result<Vec<Tree>, ReadError> {
    let post = attributes.string("post_transform")?;
    super::same("post_transform", post.as_str(), "NONE")?;
    let mut trees = branches(attributes)?;
    leaves(attributes, prefix, width, &mut trees)?;
    Ok(trees)
}

fn branches(attributes: &mut Attributes) -> Result<Vec<Tree>, ReadError> {
    let modes = attributes.strings("nodes_modes")?;
    let count = modes.len();
    let mut column = |name| {
        let ints = attributes.ints(name)?;
        length(name, ints.len(), count)?;
        Ok::<_, ReadError>(ints)
    };
    let tree_ids = column("nodes_treeids")?;
    let node_ids = column("nodes_nodeids")?;
    let features = column("nodes_featureids")?;
    let lows = column("nodes_truenodeids")?;
    let highs = column("nodes_falsenodeids")?;
    let values = attributes.floats("nodes_values")?;
    length("nodes_values", values.len(), count)?;

    let mut trees: Vec<Tree> = Vec::new();
    for entry in 0..count {
        let (tree, node) = (tree_ids[entry], node_ids[entry]);
        if tree == trees.len() as i64 {
            trees.push(Tree::default());
        }
        let last = trees.len() as i64 - 1;
        let Some(current) = trees.last_mut().filter(|_| tree == last) else {
            let expected = "each tree in one piece, from 0 on";
            return Err(differs("nodes_treeids", entry, tree, expected));
        };
        let expected = current.nodes.len() as i64;
        if (0..expected).contains(&node) {
            return Err(ReadError::DuplicateNode { tree, node });
        }
        if node != expected {
            return Err(differs("nodes_nodeids", entry, node, &expected.to_string()));
        }
        current.nodes.push(if modes[entry] == b"LEAF"[..] {
            for (name, value) in [
                ("nodes_featureids", features[entry]),
                ("nodes_truenodeids", lows[entry]),
                ("nodes_falsenodeids", highs[entry]),
            ] {
                if value != 0 {
                    return Err(differs(name, entry, value, "0 in a leaf"));
                }
            }
            if values[entry].to_bits() != 0 {
                return Err(differs("nodes_values", entry, values[entry], "0 in a leaf"));
            }
            // Filled in by `leaves`, or refused there.
            Node::Leaf { first: u32::MAX }
        } else {
            Node::Branch {
                feature: index("nodes_featureids", entry, features[entry])?,
                threshold: values[entry],
                low: index("nodes_truenodeids", entry, lows[entry])?,
                high: index("nodes_falsenodeids", entry, highs[entry])?,
            }
        });
    }
    Ok(trees)
}

/// Gives each leaf its values: all ids of a leaf in order, the leaves in the order of the nodes.
fn leaves(
    attributes: &mut Attributes,
    prefix: &'static str,
    width: usize,
    trees: &mut [Tree],
) -> Result<(), ReadError> {
    let [ids, nodes, trees_name, weights] = if prefix == "class" {
        ["class_ids", "class_nodeids", "class_treeids", "class_weights"]
    } else {
        ["target_ids", "target_nodeids", "target_treeids", "target_weights"]
    };
    let weights = attributes.floats(weights)?;
    let leaf_count: usize = trees.iter().map(|tree| leaf_ids(tree).count()).sum();
    // Also keeps what is allocated below within the size of the file.
    length(
        &format!("{prefix}_weights"),
        weights.len(),
        leaf_count.saturating_mul(width),
    )?;
    let of_each = |number: i64| std::iter::repeat_n(number, width);
    let numbered = || (0..).zip(trees.iter());
    equal_entries(
        trees_name,
        &attributes.ints(trees_name)?,
        numbered().flat_map(|(number, tree)| leaf_ids(tree).flat_map(move |_| of_each(number))),
    )?;
    equal_entries(
        nodes,
        &attributes.ints(nodes)?,
        numbered().flat_map(|(_, tree)| leaf_ids(tree).flat_map(of_each)),
    )?;
    equal_entries(
        ids,
        &attributes.ints(ids)?,
        (0..leaf_count).flat_map(|_| 0..width as i64),
    )?;
    let mut weights = weights.into_iter();
    for tree in trees {
        let mut first = 0u32;
        for node in &mut tree.nodes {
            if let Node::Leaf { first: position } = node {
                *position = first;
                // The file's size bounds the sum far below 2^32.
                first += width as u32;
            }
        }
        tree.values = weights.by_ref().take(first as usize).collect();
    }
    Ok(())
}

fn leaf_ids(tree: &Tree) -> impl Iterator<Item = i64> {
    (0..)
        .zip(&tree.nodes)
        .filter(|(_, node)| matches!(node, Node::Leaf { .. }))
        .map(|(id, _)| id)
}

pub(super) fn equal_entries(
    name: &str,
    found: &[i64],
    expected: impl Iterator<Item = i64>,
) -> Result<(), ReadError> {
    let mut count = 0;
    for (entry, expected) in expected.enumerate() {
        match found.get(entry) {
            Some(&value) if value == expected => count += 1,
            Some(&value) => return Err(differs(name, entry, value, &expected.to_string())),
            None => return length(name, found.len(), entry + 1),
        }
    }
    length(name, found.len(), count)
}

pub(super) fn length(name: &str, length: usize, expected: usize) -> Result<(), ReadError> {
    if length == expected {
        return Ok(());
    }
    Err(ReadError::Length {
        attribute: name.into(),
        length,
        expected,
    })
}

fn index(name: &str, entry: usize, value: i64) -> Result<u32, ReadError> {
    u32::try_from(value).map_err(|_| differs(name, entry, value, "a number from 0 to 4294967295"))
}

fn differs(name: &str, entry: usize, value: impl Debug, expected: &str) -> ReadError {
    ReadError::Entry {
        attribute: name.into(),
        entry,
        value: super::short(&value),
        expected: expected.into(),
    }
}
