//! `kfp-run`: runs a pipeline's document on this machine.

mod flags;

use clap::Parser;
use flags::Flags;
use kfp::Pipeline;
use kfp_run::{
    Cache, Cancel, Commands, Event, Given, Image, Keeper, Layout, Limits, Record, Resolve, RunState, Runner,
    keep, parameters,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "keep") {
        return keep(arguments.skip(1));
    }
    match run(&Flags::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kfp-run: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: &Flags) -> Result<bool, String> {
    let file = match (&flags.pipeline, flags.resume) {
        (Some(file), _) => file.clone(),
        (None, true) => flags.dir.join("pipeline.yaml"),
        (None, false) => return Err("PIPELINE is needed [usage]".to_owned()),
    };
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("{}: {error} [pipeline-unreadable]", file.display()))?;
    let pipeline =
        Pipeline::read(&text).map_err(|error| format!("{}: {error} [pipeline-wrong]", file.display()))?;
    let given =
        parameters(&pipeline, &flags.param).map_err(|problems| format!("{problems} [pipeline-wrong]"))?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let images = images(flags);
    let mut limits = Limits::default();
    limits.parallel = flags.parallel.unwrap_or(limits.parallel);
    let runner = Runner {
        parameters: given,
        folder: flags.dir.clone(),
        run_id: flags.run_id.clone(),
        images: &*images,
        given: Given {
            objects: flags.objects()?,
            volumes: flags.volume.iter().cloned().collect(),
            inherit: flags.inherit.clone(),
            ..Given::default()
        },
        keeper: Keeper {
            program,
            arguments: vec!["keep".into()],
        },
        cache: flags.cache.as_ref().map(Cache::new),
        limits,
        cancel: Cancel::new().map_err(|error| error.to_string())?,
        resume_command: format!("kfp-run --resume --dir {}", flags.dir.display()),
        pipeline,
    };
    let mut progress = |event: &Event| eprintln!("{event}");
    let record = match flags.resume {
        true => runner.resume(&mut progress),
        false => runner.start(&mut progress),
    };
    let record = record.map_err(|error| format!("{error} [{}]", error.id()))?;
    said(&record, &runner.resume_command);
    Ok(record.state == RunState::Succeeded)
}

fn images(flags: &Flags) -> Box<dyn Resolve> {
    if let (Some(folder), Some(unpacked)) = (flags.layout.clone(), flags.unpacked.clone()) {
        return Box::new(Layout { folder, unpacked });
    }
    let host = Image {
        host: true,
        programs: flags.program.iter().cloned().collect(),
        ..Image::default()
    };
    let unpacked = |root: &std::path::PathBuf| Image {
        root: Some(root.clone()),
        ..Image::default()
    };
    let images = flags.image.iter();
    Box::new(Commands {
        images: images
            .map(|(name, root)| (name.clone(), unpacked(root)))
            .collect(),
        others: flags.host.then_some(host),
    })
}

fn said(record: &Record, resume: &str) {
    for failure in &record.failures {
        eprintln!("failed: {}: {}", failure.step, failure.what);
    }
    if record.state == RunState::Failed {
        eprintln!("to try again what failed: {resume}");
    }
    println!(
        "{}",
        serde_json::to_string_pretty(&record.outputs).unwrap_or_default()
    );
}
