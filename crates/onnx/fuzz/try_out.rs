//! What the fuzz target and the tests do with bytes: read them, and run what can be read.

use onnx::plan::{Element, Limits, Plan, Scratch, Strings, Values, View};

/// Small, so that a wish for much is refused early and the test is quick.
pub fn limits() -> Limits {
    Limits {
        bytes: 1 << 20,
        messages: 1 << 12,
        nodes: 1 << 8,
        constants: 1 << 18,
        elements: 1 << 18,
        work: 1 << 20,
        load_work: 1 << 20,
    }
}

/// Reads, and runs what can be read.
pub fn try_out(bytes: &[u8]) {
    let Ok(plan) = Plan::read(bytes, &limits()) else {
        return;
    };
    let mut scratch = Scratch::new();
    for rows in [0usize, 1, 3] {
        let shapes: Vec<Vec<usize>> = (plan.inputs().iter())
            .map(|port| port.shape.iter().map(|size| size.unwrap_or(rows)).collect())
            .collect();
        let strings: Vec<Strings> = (shapes.iter())
            .map(|shape| {
                (0..shape.iter().product())
                    .map(|at: usize| ["", "a", "1"][at % 3])
                    .collect()
            })
            .collect();
        let numbers: Vec<Vec<f64>> = (shapes.iter())
            .map(|shape| {
                let count = shape.iter().product();
                let odd = [0.0, -1.0, 1e30, f64::NAN, f64::INFINITY, 2.5, -0.0];
                (0..count).map(|at: usize| odd[at % odd.len()]).collect()
            })
            .collect();
        let narrow: Vec<Vec<f32>> = (numbers.iter())
            .map(|list| list.iter().map(|value| *value as f32).collect())
            .collect();
        let whole: Vec<Vec<i64>> = (numbers.iter())
            .map(|list| list.iter().map(|value| *value as i64).collect())
            .collect();
        let truth: Vec<Vec<bool>> = (numbers.iter())
            .map(|list| list.iter().map(|value| *value > 0.0).collect())
            .collect();
        let views: Vec<View<'_>> = (plan.inputs().iter().enumerate())
            .map(|(place, port)| View {
                shape: &shapes[place],
                values: match port.element {
                    Element::F32 => Values::F32(&narrow[place]),
                    Element::F64 => Values::F64(&numbers[place]),
                    Element::I64 | Element::I32 => Values::I64(&whole[place]),
                    Element::Bool => Values::Bool(&truth[place]),
                    Element::Str => Values::Str(&strings[place]),
                },
            })
            .collect();
        let _ = plan.run(&views, &mut scratch);
    }
}
