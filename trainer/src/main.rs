//! The trainer's program; everything is in the library.

fn main() -> std::process::ExitCode {
    trainer::main()
}
