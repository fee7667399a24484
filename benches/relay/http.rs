//! As much of HTTP as the load speaks: requests as they stand, by blocking sockets that cost little.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::Outcome;

/// Bytes of one write and of one read.
pub(crate) const PIECE: usize = 256 * 1024;

/// Of a response's head what the load looks at.
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the body.
    pub(crate) length: u64,
}

/// A connection on which the request was sent.
pub(crate) fn connect(addr: SocketAddr, request: &str) -> Outcome<BufReader<TcpStream>> {
    let mut tcp = TcpStream::connect(addr)?;
    tcp.set_nodelay(true)?;
    tcp.write_all(request.as_bytes())?;
    Ok(BufReader::with_capacity(PIECE, tcp))
}

/// Reads the head of a response.
pub(crate) fn head(from: &mut BufReader<TcpStream>) -> Outcome<Head> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status = line.split(' ').nth(1).ok_or_else(|| format!("no answer but {line:?}"))?.parse()?;
    let mut length = None;
    loop {
        line.clear();
        from.read_line(&mut line)?;
        if line.trim().is_empty() {
            let length = length.ok_or("the answer does not say how long it is")?;
            return Ok(Head { status, length });
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
}

/// Takes `left` bytes of a body and looks at none.
pub(crate) fn take(from: &mut BufReader<TcpStream>, mut left: u64) -> Outcome<()> {
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = from.read(&mut piece[..most])? as u64;
        if count == 0 {
            return Err(format!("the answer ended {left} bytes too early").into());
        }
        left -= count;
    }
    Ok(())
}
