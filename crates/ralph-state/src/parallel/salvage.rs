//! As much of a damaged state as can be read: to show it, or to recover from it.

use std::fmt;

use crate::document::{
    BYTE_ORDER_MARK, DecodeError, Document as _, Format, MigrationReport, decode,
};
use crate::json::{
    FieldError, Json, Object, Path, Piece, Pieces, Places, Position, from_json, member, parse,
    pieces, position_of, to_text,
};
use crate::{LoadError, PARALLEL_STATE_SCHEMA_VERSION, ParallelStateFile, Store};

/// What is left of a damaged state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Salvaged {
    /// What can be read. Saving it alone would lose the rest: [`Store::rebuild`] keeps the bytes.
    pub state: ParallelStateFile,
    /// How it came about, as after [`Store::load`]; the records of an older version are in it.
    pub report: MigrationReport,
    /// Why the file as a whole is refused; nothing when it is not.
    pub refused: Option<DecodeError>,
    /// The parts that cannot be read, in the order of the file.
    pub bad: Vec<BadPart>,
}

/// A part of a state that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadPart {
    /// Which value, as in `workers[1].workspace_path`; empty for text that belongs to none.
    pub path: Path,
    /// Where it begins in the file, or where in it the fault is.
    pub position: Position,
    /// Why.
    pub reason: String,
    /// The task, if it is a record that says so.
    pub task_id: Option<String>,
    /// The part as it stands in the file: the whole record.
    pub text: String,
}

impl fmt::Display for BadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, position: Position { line, column }, reason, .. } = self;
        if !path.segments().is_empty() {
            write!(f, "`{path}`: ")?;
        }
        write!(f, "{reason} at line {line}, column {column}")
    }
}

/// As much of a state as can be read: each record, gate and field by itself, before and after what
/// is damaged.
///
/// An error means that it is no state at all, or that of a newer program, which alone knows what
/// its records mean.
pub fn salvage(bytes: &[u8]) -> Result<Salvaged, DecodeError> {
    let refused = match decode::<ParallelStateFile>(bytes) {
        Ok((state, report)) => return Ok(Salvaged { state, report, refused: None, bad: vec![] }),
        Err(newer @ DecodeError::Newer { .. }) => return Err(newer),
        Err(error) => error,
    };
    let start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let whole = Piece { at: start, bytes: &bytes[start..], whole: true };
    let Some(Pieces { is_object: true, parts, rest }) = pieces(&whole) else {
        return Err(refused);
    };
    let mut found =
        Found { version: PARALLEL_STATE_SCHEMA_VERSION, object: Object::new(), bad: Vec::new() };
    found.members(&parts)?;
    if !rest.bytes.is_empty() {
        found.refuse(Path::new(), &rest, "text after the end of the state");
    }
    let Found { object, mut bad, .. } = found;
    bad.sort_by_key(|fault| fault.at);
    let mut places = Places::new(bytes, start);
    let bad = bad.into_iter().map(|fault| fault.placed(&mut places)).collect();
    let readable = to_text(&Json::Object(object));
    let Ok((state, report)) = decode(readable.as_bytes()) else { return Err(refused) };
    Ok(Salvaged { state, report, refused: Some(refused), bad })
}

const WORKERS: &str = "workers";
const GATES: &str = "gates";
const TASK_ID: &str = "task_id";
const TWICE: &str = "the key stands twice";
const START: Position = Position { line: 1, column: 1 };

impl Store<ParallelStateFile> {
    /// As much of the file as can be read, see [`salvage()`]; `None` when there is no file. Takes
    /// no lock and never writes.
    pub fn salvage(&self) -> Result<Option<Salvaged>, LoadError> {
        self.read_with(salvage)
    }
}

/// What was read so far.
struct Found<'a> {
    /// Of the file, as far as it says one.
    version: u32,
    object: Object,
    bad: Vec<Fault<'a>>,
}

/// A part that cannot be read, and where in it the fault is.
struct Fault<'a> {
    at: usize,
    inside: Position,
    path: Path,
    reason: String,
    task_id: Option<String>,
    bytes: &'a [u8],
}

impl Fault<'_> {
    fn placed(self, places: &mut Places<'_>) -> BadPart {
        let Self { at, inside, path, reason, task_id, bytes } = self;
        let position = below(places.of(at), inside);
        let text = String::from_utf8_lossy(bytes).into_owned();
        BadPart { path, position, reason, task_id, text }
    }
}

impl<'a> Found<'a> {
    /// Reads what stands at the top. The version comes first, wherever it is: what the records
    /// have to be depends on it.
    fn members(&mut self, members: &[Piece<'a>]) -> Result<(), DecodeError> {
        let mut fields = Vec::new();
        for piece in members {
            match key_and_value(piece) {
                Some((key, value)) if key == ParallelStateFile::VERSION_KEY => {
                    self.version(&value)?;
                }
                Some(field) => fields.push(field),
                None => self.refuse(Path::new(), piece, "no key and value"),
            }
        }
        for (key, value) in fields {
            self.field(&key, &value);
        }
        Ok(())
    }

    fn version(&mut self, value: &Piece<'a>) -> Result<(), DecodeError> {
        const KEY: &str = ParallelStateFile::VERSION_KEY;
        let path = Path::new().key(KEY);
        if self.object.contains(KEY) {
            self.refuse(path, value, TWICE);
            return Ok(());
        }
        let Some(read) = self.value(path.clone(), value, |_| None) else { return Ok(()) };
        match Format::of::<ParallelStateFile>().version(Some(&read)) {
            Ok(version) => {
                self.version = version;
                self.object.set_first(KEY, read);
            }
            Err(newer @ DecodeError::Newer { .. }) => return Err(newer),
            Err(error) => self.refuse(path, value, &error.to_string()),
        }
        Ok(())
    }

    fn field(&mut self, key: &str, value: &Piece<'a>) {
        let path = Path::new().key(key);
        // Records that stand under one key twice are records all the same.
        let before = match self.object.get_mut(key) {
            Some(Json::Array(rows)) if key == WORKERS => std::mem::take(rows),
            Some(_) => return self.refuse(path, value, TWICE),
            None => Vec::new(),
        };
        let found = pieces(value).filter(|found| takes(key, found));
        if let Some(Pieces { rest, .. }) = &found
            && !rest.bytes.is_empty()
        {
            self.refuse(path.clone(), rest, "text after its end");
        }
        let read = match found {
            Some(Pieces { is_object: false, parts, .. }) => {
                Some(Json::Array(self.rows(key, before, &parts)))
            }
            Some(Pieces { is_object: true, parts, .. }) if key == GATES => {
                Some(Json::Object(self.gates(&path, &parts)))
            }
            _ => self.value(path, value, |value| Some(only(key, value.clone()))),
        };
        if let Some(read) = read {
            self.object.set(key, read);
        }
    }

    fn rows(&mut self, key: &str, mut rows: Vec<Json>, parts: &[Piece<'a>]) -> Vec<Json> {
        let are_workers = key == WORKERS && self.version == PARALLEL_STATE_SCHEMA_VERSION;
        for (index, piece) in parts.iter().enumerate() {
            let alone =
                |row: &Json| are_workers.then(|| only(WORKERS, Json::Array(vec![row.clone()])));
            rows.extend(self.value(Path::new().key(key).index(index), piece, alone));
        }
        rows
    }

    fn gates(&mut self, path: &Path, parts: &[Piece<'a>]) -> Object {
        let mut gates = Object::new();
        for piece in parts {
            let Some((gate, time)) = key_and_value(piece) else {
                self.refuse(path.clone(), piece, "no key and value");
                continue;
            };
            let path = path.clone().key(&gate);
            if gates.contains(&gate) {
                self.refuse(path, &time, TWICE);
                continue;
            }
            let alone = |time: &Json| {
                let gates = Object::from_iter([(gate.as_str(), time.clone())]);
                Some(only(GATES, Json::Object(gates)))
            };
            if let Some(time) = self.value(path, &time, alone) {
                gates.set(gate, time);
            }
        }
        gates
    }

    /// The value of a piece, if it can be read and a state with nothing else in it can hold it.
    fn value(
        &mut self,
        path: Path,
        piece: &Piece<'a>,
        alone: impl FnOnce(&Json) -> Option<Json>,
    ) -> Option<Json> {
        let read = read(piece);
        let (inside, path, reason) = match &read {
            Ok(value) => {
                let Some(Err(field)) = alone(value).map(|state| fits(&state)) else {
                    return read.ok();
                };
                let rest = field.path.segments().get(path.segments().len()..).unwrap_or_default();
                let text = str::from_utf8(piece.bytes).unwrap_or_default();
                let inside = position_of(text, &rest.iter().cloned().collect());
                let path = path.segments().iter().chain(rest).cloned().collect();
                (inside.unwrap_or(START), path, field.reason)
            }
            Err((inside, reason)) => (*inside, path, reason.clone()),
        };
        let task_id = match &read {
            Ok(record) => task_in(record),
            Err(_) => task_of(piece),
        };
        let Piece { at, bytes, .. } = *piece;
        self.bad.push(Fault { at, inside, path, reason, task_id, bytes });
        None
    }

    fn refuse(&mut self, path: Path, piece: &Piece<'a>, reason: &str) {
        self.bad.push(Fault {
            at: piece.at,
            inside: START,
            path,
            reason: reason.to_owned(),
            task_id: None,
            bytes: piece.bytes,
        });
    }
}

/// The state that holds nothing but this.
fn only(key: &str, value: Json) -> Json {
    Json::Object(Object::from_iter([(key, value)]))
}

fn fits(state: &Json) -> Result<(), FieldError> {
    from_json::<ParallelStateFile>(state).map(drop)
}

/// Whether such a container can stand at this key.
fn takes(key: &str, found: &Pieces<'_>) -> bool {
    let empty = if found.is_object { Json::Object(Object::new()) } else { Json::Array(Vec::new()) };
    fits(&only(key, empty)).is_ok()
}

fn key_and_value<'a>(piece: &Piece<'a>) -> Option<(String, Piece<'a>)> {
    let (key, value) = member(piece)?;
    let key = str::from_utf8(key).ok()?;
    match parse(key) {
        Ok(Some(Json::String(key))) => Some((key, value)),
        // Without quotes it is no value.
        _ if !key.starts_with(['"', '\'']) => Some((key.to_owned(), value)),
        _ => None,
    }
}

/// The value that a piece is, or why it is none and where in it.
fn read(piece: &Piece<'_>) -> Result<Json, (Position, String)> {
    let text = match str::from_utf8(piece.bytes) {
        Ok(text) => text,
        Err(error) => {
            let inside = Places::new(piece.bytes, 0).of(error.valid_up_to());
            return Err((inside, "no UTF-8 text".to_owned()));
        }
    };
    match parse(text) {
        Ok(Some(_)) if !piece.whole => Err((START, "the file ends in it".to_owned())),
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err((START, "there is no value".to_owned())),
        Err(error) => Err((error.position, error.reason.to_string())),
    }
}

fn task_in(record: &Json) -> Option<String> {
    Some(record.as_object()?.get(TASK_ID)?.as_str()?.to_owned())
}

/// The task of a record that cannot be read as a whole; none if it says two.
fn task_of(record: &Piece<'_>) -> Option<String> {
    let members = pieces(record)?.parts;
    let named = members.iter().filter_map(key_and_value).filter(|(key, _)| key == TASK_ID);
    let mut tasks = named.filter_map(|(_, task)| Some(read(&task).ok()?.as_str()?.to_owned()));
    let task = tasks.next()?;
    tasks.all(|other| other == task).then_some(task)
}

/// A place inside of a part that begins at `start`, seen from the top of the file.
fn below(start: Position, inside: Position) -> Position {
    match inside.line {
        1 => Position { line: start.line, column: start.column + inside.column - 1 },
        line => Position { line: start.line + line - 1, column: inside.column },
    }
}
