//! A model that says what a script says, over the protocols of four agents.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

/// What the model does when it is asked.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Says this and is done.
    Text(String),
    /// Has this line of shell run.
    Shell(&'static str),
    /// Answers with this, as one who was given a schema does.
    Answer(Value),
    /// Answers with this HTTP status.
    Status(u16),
    /// Begins an answer and never ends it.
    Hang,
}

/// A server on a port of its own; it ends with the process.
pub(super) struct Server {
    pub(super) port: u16,
    steps: Arc<Mutex<VecDeque<Step>>>,
}

impl Server {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let steps = Arc::new(Mutex::new(VecDeque::new()));
        let script = Arc::clone(&steps);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&script);
                // An agent that goes away in the middle is no error here.
                thread::spawn(move || drop(serve(&stream, &script)));
            }
        });
        Ok(Self { port, steps })
    }

    /// From now on the model does these; the last one again and again.
    pub(super) fn play(&self, steps: Vec<Step>) {
        *self.steps.lock().unwrap_or_else(PoisonError::into_inner) = steps.into();
    }
}

fn serve(mut stream: &TcpStream, script: &Mutex<VecDeque<Step>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    let body: Value = serde_json::from_slice(&body(&head, &mut reader)?).unwrap_or_default();
    let protocol = match path.rsplit(['/', ':']).next() {
        _ if method != "POST" => None,
        Some("messages") => Some(Protocol::Anthropic),
        Some("responses") => Some(Protocol::Responses),
        Some("completions") => Some(Protocol::Chat),
        Some("streamGenerateContent" | "generateContent") => Some(Protocol::Gemini),
        _ => None,
    };
    let Some(protocol) = protocol else {
        let status = if method == "GET" && path.ends_with("/responses") { 426 } else { 404 };
        return answer(stream, status, "application/json", "{}");
    };
    // Without tools it is a side question: a title, a route.
    let step = if body["tools"].as_array().is_none_or(Vec::is_empty) {
        Step::Text("a title".to_owned())
    } else {
        let mut steps = script.lock().unwrap_or_else(PoisonError::into_inner);
        let next = if steps.len() > 1 { steps.pop_front() } else { steps.front().cloned() };
        next.unwrap_or(Step::Status(404))
    };
    match step {
        Step::Status(status) => {
            let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
            let error =
                json!({ "type": kind, "code": status, "message": format!("status {status}") });
            let text = json!({ "type": "error", "error": error }).to_string();
            answer(stream, status, "application/json", &text)
        }
        Step::Hang => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")?;
            stream.flush()?;
            // Until the agent goes away.
            io::copy(&mut reader, &mut io::sink()).map(drop)
        }
        Step::Text(_) | Step::Shell(_) | Step::Answer(_) if path.ends_with(":generateContent") => {
            answer(stream, 200, "application/json", &gemini(&step).to_string())
        }
        Step::Text(_) | Step::Shell(_) | Step::Answer(_) => {
            answer(stream, 200, "text/event-stream", &protocol.stream(&step))
        }
    }
}

fn body(head: &str, reader: &mut BufReader<&TcpStream>) -> io::Result<Vec<u8>> {
    let field = |name: &str| {
        head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = Vec::new();
    if let Some(length) = field("content-length").and_then(|length| length.parse().ok()) {
        reader.take(length).read_to_end(&mut body)?;
    } else if field("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).unwrap_or_default();
            reader.by_ref().take(size).read_to_end(&mut body)?;
            reader.read_line(&mut String::new())?;
            if size == 0 {
                break;
            }
        }
    }
    Ok(body)
}

fn answer(mut stream: &TcpStream, status: u16, kind: &str, text: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Scripted\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )?;
    stream.flush()
}

#[derive(Clone, Copy)]
enum Protocol {
    Anthropic,
    Responses,
    Chat,
    Gemini,
}

impl Protocol {
    fn stream(self, step: &Step) -> String {
        let events = match self {
            Self::Anthropic => anthropic(step),
            Self::Responses => responses(step),
            Self::Chat => chat(step),
            Self::Gemini => vec![gemini(step)],
        };
        let lines = events.iter().map(|event| match event["type"].as_str() {
            Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
            None => format!("data: {event}\n\n"),
        });
        let mut stream: String = lines.collect();
        if matches!(self, Self::Chat) {
            stream += "data: [DONE]\n\n";
        }
        stream
    }
}

fn anthropic(step: &Step) -> Vec<Value> {
    let (block, delta, reason) = match step {
        Step::Shell(line) => (
            json!({ "type": "tool_use", "id": format!("toolu_{}", number()), "name": "Bash", "input": {} }),
            json!({ "type": "input_json_delta",
                "partial_json": json!({ "command": line }).to_string() }),
            "tool_use",
        ),
        Step::Answer(answer) => (
            json!({ "type": "tool_use", "id": format!("toolu_{}", number()),
                "name": "StructuredOutput", "input": {} }),
            json!({ "type": "input_json_delta", "partial_json": answer.to_string() }),
            "tool_use",
        ),
        other => (
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text_delta", "text": said(other) }),
            "end_turn",
        ),
    };
    let usage = json!({ "input_tokens": 1200, "output_tokens": 34 });
    let message = json!({ "id": format!("msg_{}", number()), "type": "message", "role": "assistant", "model": "mock",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage });
    vec![
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "usage": usage,
            "delta": { "stop_reason": reason, "stop_sequence": null } }),
        json!({ "type": "message_stop" }),
    ]
}

fn responses(step: &Step) -> Vec<Value> {
    let item = match step {
        Step::Shell(line) => {
            json!({ "type": "function_call", "id": "fc_1", "call_id": format!("call_{}", number()),
            "name": "exec_command", "arguments": json!({ "cmd": line }).to_string() })
        }
        other => json!({ "type": "message", "id": "msg_1", "role": "assistant",
            "content": [{ "type": "output_text", "text": said(other) }] }),
    };
    let usage = json!({ "input_tokens": 1200, "input_tokens_details": { "cached_tokens": 1000 },
        "output_tokens": 34, "output_tokens_details": { "reasoning_tokens": 7 },
        "total_tokens": 1234 });
    vec![
        json!({ "type": "response.created", "response": { "id": "resp_1" } }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "response": { "id": "resp_1", "usage": usage } }),
    ]
}

fn chat(step: &Step) -> Vec<Value> {
    let (delta, reason) = match step {
        Step::Shell(line) => {
            let input = json!({ "command": line, "description": "as told" }).to_string();
            let call = json!({ "index": 0, "id": format!("call_{}", number()), "type": "function",
                "function": { "name": "bash", "arguments": input } });
            (json!({ "role": "assistant", "tool_calls": [call] }), "tool_calls")
        }
        other => (json!({ "role": "assistant", "content": said(other) }), "stop"),
    };
    let chunk = |choices: Value| {
        json!({ "id": "chat_1", "object": "chat.completion.chunk", "created": 1,
            "model": "mock-model", "choices": choices })
    };
    let mut last = chunk(json!([]));
    last["usage"] = json!({ "prompt_tokens": 1200, "completion_tokens": 34, "total_tokens": 1234 });
    vec![
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }])),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason }])),
        last,
    ]
}

fn gemini(step: &Step) -> Value {
    let part = match step {
        Step::Shell(line) => json!({ "functionCall": { "name": "run_shell_command",
            "args": { "command": line } } }),
        other => json!({ "text": said(other) }),
    };
    json!({
        "candidates": [{ "content": { "role": "model", "parts": [part] }, "finishReason": "STOP",
            "index": 0 }],
        "usageMetadata": { "promptTokenCount": 1200, "candidatesTokenCount": 34,
            "totalTokenCount": 1234 },
        "modelVersion": "mock",
    })
}

fn said(step: &Step) -> String {
    match step {
        Step::Text(text) => text.clone(),
        Step::Answer(answer) => answer.to_string(),
        _ => String::new(),
    }
}

/// A number that no other event has.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
