//! Products of matrices.

use super::*;

/// `out[m, n] += a[m, k] * b[k, n]`, along the rows of `b`, so that they are read forwards.
pub(super) fn add_product<T: Real>(a: &[T], b: &[T], [m, k, n]: [usize; 3], out: &mut [T]) {
    if k == 0 || n == 0 {
        return;
    }
    if n == 1 {
        // A column: the row of `a` lies along it. Four sums, so that one need not wait for the other.
        for (a, out) in a.chunks(k).zip(out.iter_mut()) {
            *out += dot(a, b);
        }
        return;
    }
    for (a, out) in a.chunks(k).take(m).zip(out.chunks_mut(n)) {
        for (a, b) in a.iter().zip(b.chunks(n)) {
            out.iter_mut().zip(b).for_each(|(out, b)| *out += *a * *b);
        }
    }
}

/// Sum of the products.
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::default(); 4];
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    for (a, b) in a_fours.iter().zip(b_fours) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum += *a * *b;
    }
    sum
}

fn work([m, k, n]: [usize; 3]) -> usize {
    m.saturating_mul(k).saturating_mul(n)
}

#[derive(Debug)]
struct MatMul;

pub(super) fn mat_mul(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(MatMul))
}

impl MatMul {
    fn product<T: Real>(&self, call: &mut Call<'_>, out: &mut Tensor) -> Result<(), Fault> {
        let (a, b) = (call.get(0)?, call.get(1)?);
        let expected = || {
            Fault::input(
                1,
                &b.shape,
                format!("a matrix that {:?} can be multiplied with", a.shape),
            )
        };
        let x = T::slice(&a.values).ok_or_else(|| wrong_type(0, a, "float32 or float64"))?;
        let y = T::slice(&b.values).ok_or_else(|| wrong_type(1, b, "numbers of the type of input 0"))?;
        // One matrix on the right: everything on the left is rows.
        let (k, n, b_rank) = match *b.shape {
            [k] => (k, 1, 1),
            [k, n] => (k, n, 2),
            [.., _, _] if b.shape[..b.shape.len() - 2].iter().all(|size| *size == 1) => {
                (b.shape[b.shape.len() - 2], b.shape[b.shape.len() - 1], 2)
            }
            _ => return Err(expected()),
        };
        let Some((last, before)) = a.shape.split_last() else {
            return Err(expected());
        };
        if *last != k {
            return Err(expected());
        }
        let mut sizes = [0; MAX_RANK];
        sizes[..before.len()].copy_from_slice(before);
        let mut rank = before.len();
        if b_rank == 2 {
            sizes[rank] = n;
            rank += 1;
        }
        let shape = Shape::new(&sizes[..rank])?;
        let m = before.iter().product();
        call.spend(work([m, k, n]))?;
        let out = call.room::<T>(out, shape)?;
        out.fill(T::default());
        add_product(x, y, [m, k, n], out);
        Ok(())
    }
}

impl Kernel for MatMul {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        match call.get(0)?.values {
            Values::F64(_) => self.product::<f64>(call, &mut out[0]),
            _ => self.product::<f32>(call, &mut out[0]),
        }
    }
}

#[derive(Debug)]
struct Gemm {
    alpha: f32,
    beta: f32,
    transposed: [bool; 2],
}

pub(super) fn gemm(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 3)?;
    Ok(Box::new(Gemm {
        alpha: build.attributes.float("alpha", 1.0)?,
        beta: build.attributes.float("beta", 1.0)?,
        transposed: [
            build.attributes.int("transA", 0)? != 0,
            build.attributes.int("transB", 0)? != 0,
        ],
    }))
}

impl Gemm {
    fn product<T: Real>(&self, call: &mut Call<'_>, out: &mut Tensor) -> Result<(), Fault> {
        let (a, b) = (call.get(0)?, call.get(1)?);
        let x = T::slice(&a.values).ok_or_else(|| wrong_type(0, a, "float32 or float64"))?;
        let y = T::slice(&b.values).ok_or_else(|| wrong_type(1, b, "numbers of the type of input 0"))?;
        let (&[a_rows, a_columns], &[b_rows, b_columns]) = (a.shape, b.shape) else {
            return Err(Fault::input(0, &a.shape, "matrices on both sides"));
        };
        let [trans_a, trans_b] = self.transposed;
        let (m, k) = if trans_a {
            (a_columns, a_rows)
        } else {
            (a_rows, a_columns)
        };
        let (inner, n) = if trans_b {
            (b_columns, b_rows)
        } else {
            (b_rows, b_columns)
        };
        if inner != k {
            return Err(Fault::input(
                1,
                &b.shape,
                format!("a matrix that {:?} can be multiplied with", a.shape),
            ));
        }
        call.spend(work([m, k, n]))?;
        let shape = Shape::new(&[m, n])?;
        let out = call.room::<T>(out, shape)?;
        let (alpha, beta) = (
            T::from_f64(f64::from(self.alpha)),
            T::from_f64(f64::from(self.beta)),
        );
        let a_at = |i: usize, l: usize| {
            if trans_a {
                x[l * a_columns + i]
            } else {
                x[i * a_columns + l]
            }
        };
        for i in 0..m {
            for j in 0..n {
                let sum = if trans_b && !trans_a {
                    dot(&x[i * k..(i + 1) * k], &y[j * k..(j + 1) * k])
                } else {
                    let mut sum = T::default();
                    for l in 0..k {
                        sum += a_at(i, l) * if trans_b { y[j * k + l] } else { y[l * n + j] };
                    }
                    sum
                };
                out[i * n + j] = alpha * sum;
            }
        }
        if let Some(c) = call.inputs.optional(2) {
            let z = T::slice(&c.values).ok_or_else(|| wrong_type(2, c, "numbers of the type of input 0"))?;
            if super::broadcast::shape(&[&shape, c.shape])? != shape {
                return Err(Fault::input(
                    2,
                    &c.shape,
                    format!("of sizes that stretch to {shape:?}"),
                ));
            }
            super::broadcast::runs(shape, [c.shape], |start, [place], length, [step]| {
                for (offset, out) in out[start..start + length].iter_mut().enumerate() {
                    *out += beta * z[place + offset * step];
                }
            });
        }
        Ok(())
    }
}

impl Kernel for Gemm {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        match call.get(0)?.values {
            Values::F64(_) => self.product::<f64>(call, &mut out[0]),
            _ => self.product::<f32>(call, &mut out[0]),
        }
    }
}
