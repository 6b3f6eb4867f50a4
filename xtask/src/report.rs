//! What a person sees while a command runs: one line for each step on standard error.
//!
//! On a terminal the running step is shown with what it waits for and the time so far; elsewhere
//! only finished lines are printed. Results go to standard output, by the commands themselves.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing but failures and warnings.
    Quiet,
    /// A line for each step.
    Lines,
    /// A line for each step, the running one moving.
    Terminal,
}

impl Style {
    /// The style for this process's standard error.
    pub fn detect(quiet: bool) -> Style {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Style::Quiet,
            (false, true) => Style::Terminal,
            (false, false) => Style::Lines,
        }
    }
}

/// How a step ended, as its line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Something was changed.
    Done,
    /// There was nothing to do.
    Already,
    /// It could not be run here.
    Skipped,
    /// It ended badly.
    Failed,
}

/// A finished step.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Line {
    /// Name of the step.
    pub name: String,
    /// How it ended.
    pub ending: Ending,
    /// Wall time.
    pub seconds: f64,
    /// What was found or done.
    pub note: String,
}

enum Message {
    Begin(String),
    Waiting(String),
    Loud(bool),
    Print(String),
}

/// Prints progress. Shared between threads.
pub struct Report {
    style: Style,
    finished: Mutex<Vec<Line>>,
    printer: Mutex<Option<(mpsc::Sender<Message>, JoinHandle<()>)>>,
}

impl Report {
    /// A reporter of this style.
    pub fn new(style: Style) -> Self {
        let printer = (style != Style::Quiet).then(|| {
            let (sender, receiver) = mpsc::channel();
            (
                sender,
                std::thread::spawn(move || print_until_closed(&receiver, style)),
            )
        });
        Report {
            style,
            finished: Mutex::default(),
            printer: Mutex::new(printer),
        }
    }

    /// How much is shown.
    pub fn style(&self) -> Style {
        self.style
    }

    fn send(&self, message: Message) {
        if let Some((sender, _)) = self.printer.lock().expect("printing does not panic").as_ref() {
            // The printer only ends after this sender is dropped.
            let _ = sender.send(message);
        }
    }

    /// A step begins.
    pub fn begin(&self, name: &str) {
        self.send(Message::Begin(name.to_owned()));
    }

    /// What the running step waits for.
    pub fn waiting(&self, text: impl Into<String>) {
        self.send(Message::Waiting(text.into()));
    }

    /// Another program writes to the terminal now (`true`), or is done with it.
    pub fn loud(&self, loud: bool) {
        self.send(Message::Loud(loud));
    }

    /// A step ended.
    pub fn end(&self, line: Line) {
        let word = match line.ending {
            Ending::Done => "done",
            Ending::Already => "already",
            Ending::Skipped => "skipped",
            Ending::Failed => "failed",
        };
        self.send(Message::Print(format!(
            "{word:<8} {:<12} {:>6.1} s  {}",
            line.name, line.seconds, line.note
        )));
        self.finished.lock().expect("printing does not panic").push(line);
    }

    /// A line between steps.
    pub fn say(&self, text: impl Into<String>) {
        self.send(Message::Print(text.into()));
    }

    /// Something that is not right but does not end the command; shown even when quiet.
    pub fn warn(&self, id: crate::failure::Id, text: &str) {
        let line = format!("warning  {}: {text} ({})", id.text(), id.page());
        match self.style {
            Style::Quiet => eprintln!("{line}"),
            _ => self.send(Message::Print(line)),
        }
    }

    /// The finished steps so far.
    pub fn lines(&self) -> Vec<Line> {
        self.finished.lock().expect("printing does not panic").clone()
    }

    /// Prints what is left and ends the printer; later lines are not shown.
    pub fn close(&self) {
        let printer = self.printer.lock().expect("printing does not panic").take();
        if let Some((sender, thread)) = printer {
            drop(sender);
            // It only prints; a panic there has been shown already.
            let _ = thread.join();
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.close();
    }
}

fn print_until_closed(receiver: &mpsc::Receiver<Message>, style: Style) {
    const CLEAR: &str = "\r\x1b[2K";
    let moving = style == Style::Terminal;
    let mut running: Option<(String, Instant)> = None;
    let (mut waiting, mut loud) = (String::new(), false);
    // A line that nobody can read is no reason to fail.
    let show = |text: &str| {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    };
    loop {
        let clear = if moving && running.is_some() && !loud {
            CLEAR
        } else {
            ""
        };
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(Message::Begin(name)) => {
                running = Some((name, Instant::now()));
                waiting.clear();
            }
            Ok(Message::Waiting(text)) => waiting = text,
            Ok(Message::Loud(now)) => {
                show(clear);
                loud = now;
            }
            Ok(Message::Print(text)) => show(&format!("{clear}{text}\n")),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return show(clear),
        }
        if let (true, false, Some((name, since))) = (moving, loud, &running) {
            let line: String = format!(
                "...      {name:<12} {:>6.1} s  {waiting}",
                since.elapsed().as_secs_f64()
            )
            .chars()
            .take(100)
            .collect();
            show(&format!("{CLEAR}{line}"));
        }
    }
}
