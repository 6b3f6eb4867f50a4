//! A pipeline that is right, and what breaks it.

use kfp::Pipeline;
use kfp::argument::{Argument, Piece, Template};
use kfp::build::{Builder, Step};
use kfp::condition::Condition;
use kfp::container::Retry;
use kfp::kind::{Dataset, Integer, Model, Text};
use kfp::kubernetes::{Kubernetes, Volume};
use kfp::model::{ArtifactSource, Body, Component, Dag, Each, Face, Items, Source, Task, TaskOutput};
use serde_json::json;

/// `load` leaves rows and their number; `train` takes both.
pub fn right() -> Pipeline {
    let mut load = Step::new("load", "image:1", 60);
    let rows = load.output_artifact::<Dataset>("rows");
    let count = load.output::<Integer>("count");
    load.command(["load"]).arg(&rows).arg(&count);
    let mut train = Step::new("train", "image:1", 60);
    let rows_in = train.input_artifact::<Dataset>("rows");
    let count_in = train.input::<Integer>("count");
    let name_in = train.input::<Text>("name");
    train.output_artifact::<Model>("model");
    train
        .command(["train"])
        .arg(&rows_in)
        .arg(&count_in)
        .arg(&name_in);
    let mut pipeline = Builder::new("retrain");
    let name = pipeline.parameter::<Text>("name");
    let loaded = pipeline.task("load", &load).add();
    let trained = pipeline
        .task("train", &train)
        .set_artifact(&rows_in, &loaded.artifact(&rows));
    trained
        .set(&count_in, &loaded.output(&count))
        .set(&name_in, &name)
        .add();
    pipeline.build().expect("is right")
}

fn task<'a>(pipeline: &'a mut Pipeline, key: &str) -> &'a mut Task {
    pipeline.dag.tasks.get_mut(key).expect("is there")
}

pub fn container<'a>(pipeline: &'a mut Pipeline, name: &str) -> &'a mut kfp::container::Container {
    match &mut pipeline.components.get_mut(name).expect("is there").body {
        Body::Container(container) => container,
        Body::Dag(_) => panic!("no container"),
    }
}

fn from(task: &str, output: &str) -> TaskOutput {
    TaskOutput {
        task: task.to_owned(),
        output: output.to_owned(),
    }
}

fn output(task: &str, output: &str) -> Source {
    Source::Task {
        from: from(task, output),
        field: None,
    }
}

fn text(piece: Piece) -> Argument {
    Argument::Text(Template::new([piece]))
}

pub type Change = (&'static str, fn(&mut Pipeline));

/// What is broken, and how it is named.
pub const CHANGES: &[Change] = &[
    ("the name is empty", |p| p.name.clear()),
    ("\"Iris_X\" is refused by the server", |p| {
        p.name = "Iris_X".to_owned()
    }),
    ("has 129 letters; the server takes 128", |p| {
        p.name = "a".repeat(129)
    }),
    ("has 128 letters; an upload takes 127", |p| {
        p.name = "a".repeat(128)
    }),
    (
        "pipeline retrain: description: \"{{workflow.name}}\" has {{",
        |p| {
            p.description = Some("{{workflow.name}}".to_owned());
        },
    ),
    ("task train: input rows: there is no task \"nobody\" here", |p| {
        let source = ArtifactSource::Task(from("nobody", "rows"));
        task(p, "train").artifacts.insert("rows".to_owned(), source);
    }),
    (
        "task train: input rows: task load has no output artifact \"nothing\"",
        |p| {
            let source = ArtifactSource::Task(from("load", "nothing"));
            task(p, "train").artifacts.insert("rows".to_owned(), source);
        },
    ),
    (
        "task train: input rows: is required, but the task is not given it",
        |p| task(p, "train").artifacts.clear(),
    ),
    (
        "task train: input count: is required, but the task is not given it",
        |p| {
            task(p, "train").parameters.remove("count");
        },
    ),
    (
        "task train: input name: expects STRING, is given NUMBER_INTEGER",
        |p| {
            task(p, "train")
                .parameters
                .insert("name".to_owned(), output("load", "count"));
        },
    ),
    (
        "task train: input count: expects NUMBER_INTEGER, is given 1.5",
        |p| {
            task(p, "train")
                .parameters
                .insert("count".to_owned(), Source::Constant(json!(1.5)));
        },
    ),
    (
        "task train: input count: 9007199254740993 is not held exactly by a double",
        |p| {
            task(p, "train").parameters.insert(
                "count".to_owned(),
                Source::Constant(json!(9_007_199_254_740_993_i64)),
            );
        },
    ),
    (
        "task train: input name: \"{{workflow.name}}\" has {{, which the workflow engine would replace",
        |p| {
            task(p, "train")
                .parameters
                .insert("name".to_owned(), Source::Constant(json!("{{workflow.name}}")));
        },
    ),
    ("task train: input nope: component train has no such input", |p| {
        task(p, "train")
            .parameters
            .insert("nope".to_owned(), Source::Constant(json!(1)));
    }),
    (
        "task train: input name: there is no input parameter \"nope\" around it",
        |p| {
            let source = Source::Parent {
                input: "nope".to_owned(),
                field: None,
            };
            task(p, "train").parameters.insert("name".to_owned(), source);
        },
    ),
    ("pipeline retrain: tasks wait for each other: load, train", |p| {
        task(p, "load").after.insert("train".to_owned());
    }),
    (
        "task train: comes after \"train\", which is no other task here",
        |p| {
            task(p, "train").after.insert("train".to_owned());
        },
    ),
    ("task train: there is no component \"gone\"", |p| {
        task(p, "train").component = "gone".to_owned()
    }),
    (
        "component train: has no command; the image's ENTRYPOINT is never used",
        |p| container(p, "train").command.clear(),
    ),
    ("component train: image: \"\" is no reference of an image", |p| {
        container(p, "train").image.clear()
    }),
    (
        "component train: args 4: there is no input parameter \"nope\"",
        |p| {
            container(p, "train")
                .args
                .push(text(Piece::Parameter("nope".to_owned())));
        },
    ),
    ("component train: args 4: \"{{inputs.x}}\" has {{", |p| {
        container(p, "train")
            .args
            .push(text(Piece::Literal("{{inputs.x}}".to_owned())));
    }),
    (
        "component train: args 4: looks like a structure that the server would take apart",
        |p| {
            container(p, "train").args.push("{\"Concat\": [\"a\"]}".into());
        },
    ),
    (
        "component train: args 4: IfPresent: the server does not fill in outputs here",
        |p| {
            let then = vec![Template::new([Piece::OutputPath("model".to_owned())])];
            let word = Argument::IfPresent {
                input: "name".to_owned(),
                then,
                otherwise: Vec::new(),
            };
            container(p, "train").args.push(word);
        },
    ),
    ("component train: env A: the variable A is set twice", |p| {
        container(p, "train").env = vec![("A".to_owned(), String::new()), ("A".to_owned(), String::new())];
    }),
    ("component train: env 1A: \"1A\" is no name of a variable", |p| {
        container(p, "train").env = vec![("1A".to_owned(), String::new())];
    }),
    ("component train: memory limit: \"1 GB\" is no quantity", |p| {
        container(p, "train").resources.memory_limit = Some("1 GB".to_owned());
    }),
    ("component train: kubernetes: has no deadline", |p| {
        container(p, "train").kubernetes.deadline_seconds = None
    }),
    ("component train: kubernetes: may run as root", |p| {
        container(p, "train").kubernetes.user.id = Some(0)
    }),
    (
        "component train: kubernetes: has outputs but no folder at /tmp",
        |p| {
            container(p, "train").kubernetes.empty_dirs.clear();
        },
    ),
    (
        "component train: kubernetes: folder tmp: expected an absolute path",
        |p| {
            let volume = Volume {
                object: "a".into(),
                path: "tmp".to_owned(),
                optional: false,
            };
            container(p, "train").kubernetes.secret_volumes.push(volume);
        },
    ),
    (
        "component train: kubernetes: folder /tmp: is mounted twice",
        |p| {
            let pod: &mut Kubernetes = &mut container(p, "train").kubernetes;
            pod.empty_dirs.push(pod.empty_dirs[0].clone());
        },
    ),
    (
        "task train: retry: has no longest time; without it the server never retries",
        |p| {
            task(p, "train").retry = Some(Retry {
                within: None,
                ..Retry::times(2)
            });
        },
    ),
    (
        "task train: retry: no attempt starts 100 s after the first began, but 3 attempts may take 180 s",
        |p| {
            let within = Some(std::time::Duration::from_secs(100));
            task(p, "train").retry = Some(Retry {
                within,
                ..Retry::times(2)
            });
        },
    ),
    (
        "task train: condition: reads \"nope\", which the task is not given",
        |p| {
            task(p, "train").when = Condition::parse("inputs.parameter_values['nope'] == 'a'").ok();
        },
    ),
    (
        "task train: condition: STRING > NUMBER_INTEGER cannot be compared",
        |p| {
            task(p, "train").when = Condition::parse("inputs.parameter_values['name'] > 3").ok();
        },
    ),
    (
        "task train: loop: the item goes to \"nope\", which is no input parameter of train",
        |p| {
            let items = Items::Constant(vec![json!(1)]);
            task(p, "train").each = Some(Each {
                item: "nope".to_owned(),
                items,
                parallelism: None,
            });
        },
    ),
    ("task train: loop: item 2: \"a\" is no NUMBER_INTEGER", |p| {
        let items = Items::Constant(vec![json!(1), json!("a")]);
        task(p, "train").parameters.remove("count");
        task(p, "train").each = Some(Each {
            item: "count".to_owned(),
            items,
            parallelism: None,
        });
    }),
    (
        "task train: input name: only a task that runs even if others failed is told how one ended",
        |p| {
            task(p, "train")
                .parameters
                .insert("name".to_owned(), Source::FinalStatus("load".to_owned()));
        },
    ),
    ("pipeline retrain: has no tasks", |p| p.dag.tasks.clear()),
    (
        "pipeline retrain: has exit tasks only; the server refuses that",
        |p| {
            p.dag
                .tasks
                .values_mut()
                .for_each(|task| task.even_if_failed = true);
        },
    ),
    ("component more: no task runs it", |p| {
        let more = p.components["load"].clone();
        p.components.insert("more".to_owned(), more);
    }),
    ("component inner: is inside of itself: inner → inner", |p| {
        let task = Task {
            component: "inner".to_owned(),
            ..Task::default()
        };
        let dag = Dag {
            tasks: [("inner".to_owned(), task.clone())].into(),
            ..Dag::default()
        };
        p.dag.tasks.insert("inner".to_owned(), task);
        p.components.insert(
            "inner".to_owned(),
            Component {
                face: Face::default(),
                body: Body::Dag(dag),
            },
        );
    }),
    ("pipeline retrain: input name: the default 1 is no STRING", |p| {
        let input = p.face.parameters.get_mut("name").expect("is there");
        (input.default, input.optional) = (Some(json!(1)), true);
    }),
    (
        "pipeline retrain: task Train: \"Train\" is refused by the server",
        |p| {
            let task = p.dag.tasks.remove("train").expect("is there");
            p.dag.tasks.insert("Train".to_owned(), task);
        },
    ),
];
