//! Long polling through a node that does not have the session: what its way to the right one adds. One
//! session, the same POST and GET at either node in turn, over connections that stay open.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, median, process::Server, redis::Redis, verdict};

/// Round trips at each node.
const TIMES: usize = 500;

const PATIENCE: Duration = Duration::from_secs(10);

/// An event that is answered, cheaply, whatever else there is.
const ASK: &str = r#"42/rooms,1["room:leave",{"room":"bench-nowhere"}]"#;
const ANSWER: &str = "43/rooms,1[";

pub(crate) fn run() -> Outcome<()> {
    let redis = Redis::start()?;
    let right = Server::roomdrop_of_many("bench-a", redis.addr)?;
    let wrong = Server::roomdrop_of_many("bench-b", redis.addr)?;
    let mut ways = [Way::to(right.addr)?, Way::to(wrong.addr)?];
    let session = ways[0].open()?;
    ways[1].wait_for(&session)?;
    let mut times = [const { (Vec::new(), Vec::new()) }; 2];
    for round in 0..TIMES + 20 {
        for (way, (posts, gets)) in ways.iter_mut().zip(&mut times) {
            let (post, get) = way.round_trip(&session)?;
            // The first few open the connection between the nodes, and warm up.
            if round >= 20 {
                posts.push(post);
                gets.push(get);
            }
        }
    }
    let middle = |times: &[Duration]| median(times.iter().map(Duration::as_secs_f64)) * 1e3;
    println!("long polling, {TIMES} round trips{:>14}{:>12}", "right node", "wrong node");
    let [(right_posts, right_gets), (wrong_posts, wrong_gets)] = &times;
    let mut worst = f64::MIN;
    for (name, right, wrong) in [("POST", right_posts, wrong_posts), ("GET", right_gets, wrong_gets)] {
        let (right, wrong) = (middle(right), middle(wrong));
        println!("  {name:<28}{right:>11.2} ms{wrong:>9.2} ms");
        worst = worst.max(wrong - right);
    }
    verdict(&format!("{worst:.2} ms added at the median"), "less than 2 ms", worst < 2.0);
    println!();
    Ok(())
}

/// An open HTTP connection to a node.
struct Way {
    tcp: BufReader<TcpStream>,
}

impl Way {
    fn to(addr: SocketAddr) -> Outcome<Self> {
        let tcp = TcpStream::connect(addr)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { tcp: BufReader::new(tcp) })
    }

    /// Opens a session and enters the namespace; its sid.
    fn open(&mut self) -> Outcome<String> {
        let hello = self.request("GET", "", "")?;
        let hello: serde_json::Value = serde_json::from_str(hello.get(1..).unwrap_or_default())?;
        let sid = hello["sid"].as_str().ok_or("no sid")?.to_owned();
        self.request("POST", &sid, "40/rooms,")?;
        while !self.request("GET", &sid, "")?.contains("40/rooms,") {}
        Ok(sid)
    }

    /// Waits until this node has heard of the one that has the session: both have just started.
    fn wait_for(&mut self, sid: &str) -> Outcome<()> {
        let begun = Instant::now();
        loop {
            match self.round_trip(sid) {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Asks by POST and waits for the answer by GET; the time each took.
    fn round_trip(&mut self, sid: &str) -> Outcome<(Duration, Duration)> {
        let begun = Instant::now();
        self.request("POST", sid, ASK)?;
        let posted = begun.elapsed();
        let begun = Instant::now();
        while !self.request("GET", sid, "")?.contains(ANSWER) {}
        Ok((posted, begun.elapsed()))
    }

    fn request(&mut self, method: &str, sid: &str, body: &str) -> Outcome<String> {
        let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nhost: localhost\r\n\
             content-type: text/plain;charset=UTF-8\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.tcp.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", "chunked")) => chunked = true,
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = Vec::new();
        if chunked {
            loop {
                let length = usize::from_str_radix(&self.line()?, 16)?;
                self.bytes(length, &mut answer)?;
                self.line()?;
                if length == 0 {
                    break;
                }
            }
        } else {
            self.bytes(length, &mut answer)?;
        }
        let answer = String::from_utf8(answer)?;
        if status.contains(" 200 ") {
            Ok(answer)
        } else {
            Err(format!("{method}: {status}: {answer}").into())
        }
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.tcp.read_line(&mut line)? == 0 {
            return Err("the node closed the connection".into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn bytes(&mut self, length: usize, to: &mut Vec<u8>) -> Outcome<()> {
        let begin = to.len();
        to.resize(begin + length, 0);
        Ok(self.tcp.read_exact(to.get_mut(begin..).unwrap_or_default())?)
    }
}
