//! Shapes that stretch to each other, and walks over them in runs along the last dimension.

use super::{Fault, MAX_RANK, Shape};

/// The shape that all of these stretch to.
pub(super) fn shape(shapes: &[&[usize]]) -> Result<Shape, Fault> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut sizes = [1; MAX_RANK];
    if rank > MAX_RANK {
        return Err(Fault::limit("dimensions", rank, MAX_RANK));
    }
    for (position, shape) in shapes.iter().enumerate() {
        let offset = rank - shape.len();
        for (place, &size) in shape.iter().enumerate() {
            let all = &mut sizes[offset + place];
            if *all == 1 {
                *all = size;
            } else if size != 1 && size != *all {
                return Err(Fault::input(
                    position,
                    shape,
                    format!("of sizes that stretch to {:?}", shapes[0]),
                ));
            }
        }
    }
    Shape::new(&sizes[..rank])
}

/// Calls `run(first place in the output, places in the inputs, length, steps of the inputs)` for
/// every run along the last dimension.
pub(super) fn runs<const N: usize>(
    out: Shape,
    shapes: [&[usize]; N],
    mut run: impl FnMut(usize, [usize; N], usize, [usize; N]),
) {
    if out.count() == 0 {
        return;
    }
    let rank = out.len();
    let strides = shapes.map(|shape| strides(shape, rank));
    let Some(last) = rank.checked_sub(1) else {
        return run(0, [0; N], 1, [0; N]);
    };
    let (length, steps) = (out[last], strides.map(|strides| strides[last]));
    // Everything has the same shape: one run.
    if shapes.iter().all(|shape| *shape == &*out) {
        return run(0, [0; N], out.count(), [1; N]);
    }
    let mut index = [0usize; MAX_RANK];
    let mut places = [0usize; N];
    for start in (0..out.count()).step_by(length) {
        run(start, places, length, steps);
        for axis in (0..last).rev() {
            index[axis] += 1;
            for (place, strides) in places.iter_mut().zip(&strides) {
                *place += strides[axis];
            }
            if index[axis] < out[axis] {
                break;
            }
            for (place, strides) in places.iter_mut().zip(&strides) {
                *place -= strides[axis] * out[axis];
            }
            index[axis] = 0;
        }
    }
}

/// How far a step along each of `rank` dimensions goes in a tensor of this shape: not at all where
/// it stretches.
pub(super) fn strides(shape: &[usize], rank: usize) -> [usize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut stride = 1;
    for (place, &size) in shape.iter().enumerate().rev() {
        strides[rank - shape.len() + place] = if size == 1 { 0 } else { stride };
        stride *= size;
    }
    strides
}

/// `f` of each pair of elements.
pub(super) fn zip<A: Copy, B: Copy, O>(
    (a_shape, a): (&[usize], &[A]),
    (b_shape, b): (&[usize], &[B]),
    (shape, out): (Shape, &mut [O]),
    f: impl Fn(A, B) -> O,
) {
    runs(shape, [a_shape, b_shape], |start, [i, j], length, steps| {
        let out = &mut out[start..start + length];
        match steps {
            [1, 1] => {
                let pairs = a[i..i + length].iter().zip(&b[j..j + length]);
                out.iter_mut()
                    .zip(pairs)
                    .for_each(|(out, (a, b))| *out = f(*a, *b));
            }
            [1, _] => {
                let b = b[j];
                out.iter_mut()
                    .zip(&a[i..i + length])
                    .for_each(|(out, a)| *out = f(*a, b));
            }
            [_, 1] => {
                let a = a[i];
                out.iter_mut()
                    .zip(&b[j..j + length])
                    .for_each(|(out, b)| *out = f(a, *b));
            }
            _ => {
                let (a, b) = (a[i], b[j]);
                out.iter_mut().for_each(|out| *out = f(a, b));
            }
        }
    });
}
