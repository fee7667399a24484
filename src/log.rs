//! Where the log goes and in which form. The libraries under Socket.IO and under fetches are kept quiet: at their
//! debug level they write whole binaries, and whom they ask.

use std::fs::OpenOptions;
use std::io;
use std::sync::Arc;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Log, LogFormat, LogLevel};

/// Starts the log, once per process.
///
/// # Errors
/// When the file cannot be opened for appending, or a log was started before.
pub fn start(log: &Log) -> io::Result<()> {
    let writer = match &log.file {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) => BoxMakeWriter::new(Arc::new(OpenOptions::new().create(true).append(true).open(path)?)),
    };
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    Registry::default().with(lines.with_filter(filter(log.level))).try_init().map_err(io::Error::other)
}

fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let quiet = level.min(LevelFilter::INFO);
    Targets::new()
        .with_default(level)
        .with_target("socketioxide", quiet)
        .with_target("engineioxide", quiet)
        .with_target("hyper", quiet)
        .with_target("reqwest", quiet)
        .with_target("memory_serve", level.min(LevelFilter::WARN))
}
