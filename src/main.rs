//! The program: reads what it is told, serves, and ends when it is asked to. Everything else is in the
//! library.

use std::process::ExitCode;

use clap::Parser;
use roomdrop::app::{NotStarted, Server};
use roomdrop::config::{Config, Flags};
use tokio::signal::unix::{SignalKind, signal};

/// Freed chunks go back to the system; the default allocator would keep them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = match Config::load(&Flags::parse(), std::env::vars_os()) {
        Ok(config) => config,
        Err(faults) => return fail(2, &faults),
    };
    if let Err(error) = roomdrop::log::start(&config.log) {
        return fail(2, &format_args!("log.file: {error}; name a file that can be written, or leave it out"));
    }
    let served = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(serve(&config)),
        Err(error) => return fail(1, &error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

async fn serve(config: &Config) -> Result<(), NotStarted> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config).await?;
    println!("roomdrop is ready: http://{}", server.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // A second signal ends at once what is waited for after the first.
    let hurry = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.close(hurry).await;
    Ok(())
}

fn fail(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(code)
}
