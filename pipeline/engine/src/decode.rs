//! From one line of JSON to events: nested paths, `each`, roles, types.
//!
//! A line is decoded whole or not at all. Nothing in it can make the decoder panic; what is wrong is told with the
//! column it is about. Values are read from the text of the record, so that no digit passes through a float.

use std::{fmt, sync::Arc};

use model::{
    ColumnType, DatasetDefinition, Fingerprint, Mode, OPEN, Operation, OperationColumn, StoredColumns, TimelineEvent,
    definition::{EXACT_END, RETRACT_WORD},
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    event_batch::{Event, EventBatch, Place, encode_key, encode_value},
    json_leaf::{self, Value},
};

/// Longest line a record may be.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Most bytes that the elements of one line may repeat of what stands outside their array.
const EACH_REPEATED_BYTES_MAX: usize = 16 << 20;

/// Why a record cannot be accepted, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection(pub String);

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decodes the records of one dataset.
#[derive(Debug)]
pub struct Decoder {
    definition: Arc<DatasetDefinition>,
    root: Node,
    element: Option<Node>,
    /// Indices into the definition's columns: key columns in key order, then value columns.
    stored: Vec<usize>,
    /// The field id of each of them.
    field_ids: Vec<i32>,
    key_count: usize,
    roles: Roles,
}

#[derive(Debug)]
struct Roles {
    valid_from: usize,
    valid_to: Option<usize>,
    operation: Option<usize>,
    sequence: Option<usize>,
    system_time: Option<usize>,
}

/// What tells whether an event says what holds already: of its values, without key and sequence, in the order of their field
/// ids. A column that is null says nothing and others say which they are, so that the same is said before and after a column
/// was added, renamed or widened.
pub(crate) fn fingerprint_of<'v, V: std::borrow::Borrow<Value<'v>>>(
    values: impl Iterator<Item = (i32, V)>,
) -> Fingerprint {
    let mut scratch = Vec::with_capacity(64);
    for (field_id, value) in values {
        let value: &Value<'v> = value.borrow();
        if *value != Value::Null {
            scratch.extend_from_slice(&field_id.to_le_bytes());
            encode_value(value, &mut scratch);
        }
    }
    // Zero means that nothing holds, so no value may have it.
    Fingerprint(xxh3_128(&scratch).max(1))
}

/// The members of a JSON object that matter.
#[derive(Debug, Default)]
struct Node {
    members: Vec<(String, Member)>,
}

#[derive(Debug, Default)]
struct Member {
    columns: Vec<usize>,
    is_each: bool,
    below: Option<Node>,
}

impl Decoder {
    /// A decoder for a definition that has no problems, whose columns are stored so.
    pub fn new(definition: Arc<DatasetDefinition>, columns: &StoredColumns) -> Decoder {
        let index = |name: &str| definition.columns.iter().position(|column| column.name == name);
        let roles = Roles {
            valid_from: index(&definition.valid_from).unwrap_or_default(),
            valid_to: definition.valid_to.as_deref().and_then(index),
            operation: definition.operation.as_ref().and_then(|o| index(o.column())),
            sequence: definition.sequence.as_deref().and_then(index),
            system_time: definition.system_time.as_deref().and_then(index),
        };
        let key: Vec<usize> = definition.key.iter().filter_map(|name| index(name)).collect();
        let values = (0..definition.columns.len()).filter(|&i| definition.is_value(&definition.columns[i].name));
        let stored: Vec<usize> = key.iter().copied().chain(values).collect();
        let field_id = |&column: &usize| columns.field_id(&definition.columns[column].name).unwrap_or_default();
        let field_ids = stored.iter().map(field_id).collect();
        let each: Option<Vec<&str>> = definition.each.as_ref().map(|path| path.split('.').collect());
        let (mut root, mut element) = (Node::default(), Node::default());
        if let Some(each) = &each {
            root.reach(each).is_each = true;
        }
        for (column_index, column) in definition.columns.iter().enumerate() {
            let members = column.path_members();
            match each.as_ref().and_then(|each| members.strip_prefix(each.as_slice())) {
                Some(below) if !below.is_empty() => element.reach(below).columns.push(column_index),
                _ => root.reach(&members).columns.push(column_index),
            }
        }
        if definition.mode == Mode::UntilChanged {
            root.reach(&[EXACT_END]).columns.push(definition.columns.len());
        }
        let element = each.is_some().then_some(element);
        Decoder { root, element, key_count: key.len(), stored, field_ids, roles, definition }
    }

    /// The definition decoded for.
    pub fn definition(&self) -> &DatasetDefinition {
        &self.definition
    }

    /// Decodes a line and appends its events to the batch; tells how many. `importing` says that the history import
    /// is open, so that each event carries its system time. On a rejection the batch is as it was.
    pub fn decode(&self, line: &[u8], place: Place, importing: bool, batch: &mut EventBatch) -> Result<u32, Rejection> {
        if line.len() > LINE_BYTES_MAX {
            let reason = format!("the line is {} bytes long; at most {LINE_BYTES_MAX} are accepted", line.len());
            return Err(Rejection(reason));
        }
        let text = std::str::from_utf8(line)
            .map_err(|e| Rejection(format!("not UTF-8 from byte {} on", e.valid_up_to() + 1)))?;
        let mut found = Found::new(self.definition.columns.len() + 1);
        parse_object(text, &self.root, &mut found)?;
        let Some(element) = &self.element else {
            let event = self.event(&found.raw, place, importing)?;
            batch.ignored_fields += found.ignored;
            batch.push(event);
            return Ok(1);
        };
        self.decode_each(element, found, place, importing, batch)
    }

    fn decode_each(
        &self,
        element: &Node,
        found: Found<'_>,
        place: Place,
        importing: bool,
        batch: &mut EventBatch,
    ) -> Result<u32, Rejection> {
        let path = self.definition.each.as_deref().unwrap_or_default();
        let array = found.each.ok_or_else(|| Rejection(format!("'{path}' is missing; it must be an array")))?;
        let elements: Vec<&RawValue> =
            serde_json::from_str(array).map_err(|_| Rejection(format!("'{path}' is not an array")))?;
        // Values outside the array are repeated for each element: a short line must not become a large epoch.
        let repeated: usize = found.raw.iter().flatten().map(|text| text.len()).sum();
        if repeated.saturating_mul(elements.len()) > EACH_REPEATED_BYTES_MAX {
            return Err(Rejection(format!(
                "'{path}' has {} elements, each of which would repeat {repeated} bytes; send fewer in a line",
                elements.len()
            )));
        }
        let mut events = Vec::with_capacity(elements.len());
        let mut ignored = found.ignored;
        for (index, raw) in elements.iter().enumerate() {
            let in_element = |rejection: Rejection| Rejection(format!("{path}[{index}]: {rejection}"));
            let mut row = Found { raw: found.raw.clone(), each: None, ignored: 0 };
            parse_object(raw.get(), element, &mut row).map_err(in_element)?;
            events.push(self.event(&row.raw, place, importing).map_err(in_element)?);
            ignored += row.ignored;
        }
        if events.windows(2).any(|pair| pair[0].system_time != pair[1].system_time) {
            return Err(Rejection("the elements of one line carry different system times; use a line for each".into()));
        }
        let count = u32::try_from(events.len()).map_err(|_| Rejection("too many elements in one line".into()))?;
        if count == 0 {
            return Err(Rejection(format!("'{path}' is empty; there is nothing to record")));
        }
        batch.ignored_fields += ignored;
        events.into_iter().for_each(|event| batch.push(event));
        Ok(count)
    }

    fn event<'a>(&self, raw: &[Option<&'a str>], place: Place, importing: bool) -> Result<Event<'a>, Rejection> {
        let operation = self.operation(raw)?;
        let mut values = Vec::with_capacity(self.stored.len());
        for (position, &column) in self.stored.iter().enumerate() {
            let is_key = position < self.key_count;
            let value = match (operation, is_key) {
                (Operation::Delete | Operation::Retract, false) if self.roles.sequence != Some(column) => Value::Null,
                _ => self.value(raw, column)?,
            };
            if is_key && value == Value::Null {
                return Err(self.about(column, "is part of the key and must have a value"));
            }
            values.push(value);
        }
        let (from, end) = self.valid_interval(raw)?;
        let exact_end = self.exact_end(raw, operation, from)?;
        let (to, exact) = (exact_end.unwrap_or(end), exact_end.is_some());
        let sequence = match self.roles.sequence {
            None => 0,
            Some(column) => match self.value(raw, column)? {
                Value::Int32(value) => i64::from(value),
                Value::Int64(value) => value,
                _ => return Err(self.about(column, "is the sequence and must have a value")),
            },
        };
        let system_time = match self.roles.system_time {
            Some(column) if importing => Some(self.instant(raw, column)?.ok_or_else(|| {
                self.about(column, "is the system time and must have a value until the import is sealed")
            })?),
            _ => None,
        };
        let fingerprint = self.fingerprint(&values);
        let mut key = Vec::with_capacity(32);
        encode_key(&values[..self.key_count], &mut key);
        Ok(Event {
            place,
            event: TimelineEvent { operation, from, to, exact, sequence, fingerprint },
            system_time,
            key,
            values,
        })
    }

    fn fingerprint(&self, values: &[Value<'_>]) -> Fingerprint {
        let stored = values.iter().zip(self.field_ids.iter().zip(&self.stored)).skip(self.key_count);
        let said = stored.filter(|(_, (_, column))| self.roles.sequence != Some(**column));
        fingerprint_of(said.map(|(value, (field_id, _))| (*field_id, value)))
    }

    fn operation(&self, raw: &[Option<&str>]) -> Result<Operation, Rejection> {
        let (Some(column), Some(words)) = (self.roles.operation, &self.definition.operation) else {
            return Ok(Operation::Put);
        };
        let (put, delete) = OperationColumn::words(words);
        let value = self.value(raw, column)?;
        match &value {
            Value::String(word) if word == put => return Ok(Operation::Put),
            Value::String(word) if word == delete => return Ok(Operation::Delete),
            _ => {}
        }
        let retract = self.definition.retract_word();
        if let (Value::String(word), Some(retract)) = (&value, retract)
            && word == retract
        {
            return Ok(Operation::Retract);
        }
        let choice = match retract {
            None => format!("'{put}' or '{delete}'"),
            Some(retract) => format!("'{put}', '{delete}' or '{retract}'"),
        };
        match &value {
            Value::String(word) if word == RETRACT_WORD && self.definition.mode == Mode::Interval => {
                let reason = format!(
                    "says '{word}', but in interval mode there is no change to withdraw; say '{delete}' over the interval"
                );
                Err(self.about(column, &reason))
            }
            Value::Null => Err(self.about(column, &format!("is missing; it says {choice}"))),
            _ => Err(self.about(column, &format!("says {}, not {choice}", raw[column].unwrap_or_default()))),
        }
    }

    /// Where the event ends whatever the key changes to, if it says so.
    fn exact_end(&self, raw: &[Option<&str>], operation: Operation, from: i64) -> Result<Option<i64>, Rejection> {
        let Some(text) = raw[self.definition.columns.len()] else { return Ok(None) };
        let refused = |reason: &str| Rejection(format!("'{EXACT_END}' {reason}"));
        let to = match json_leaf::parse(text, ColumnType::Timestamp) {
            Ok(Value::Null) => OPEN,
            Ok(Value::Int64(micros)) => micros,
            _ => return Err(refused("is not a time or null")),
        };
        if operation == Operation::Retract {
            return Err(refused("has no meaning for a retraction"));
        }
        if to <= from {
            return Err(refused("is not after the start of the valid interval"));
        }
        Ok(Some(to))
    }

    fn valid_interval(&self, raw: &[Option<&str>]) -> Result<(i64, i64), Rejection> {
        let from = self.instant(raw, self.roles.valid_from)?.ok_or_else(|| {
            self.about(self.roles.valid_from, "is the start of the valid interval and must have a value")
        })?;
        let to = match self.roles.valid_to {
            Some(column) => self.instant(raw, column)?.unwrap_or(OPEN),
            None => OPEN,
        };
        if self.definition.mode == Mode::Interval && to <= from {
            let column = self.roles.valid_to.unwrap_or(self.roles.valid_from);
            return Err(self.about(column, "is not after the start of the valid interval"));
        }
        Ok((from, to))
    }

    fn instant(&self, raw: &[Option<&str>], column: usize) -> Result<Option<i64>, Rejection> {
        const MICROS_PER_DAY: i64 = 86_400_000_000;
        match self.value(raw, column)? {
            Value::Int32(days) => Ok(Some(i64::from(days) * MICROS_PER_DAY)),
            Value::Int64(micros) => Ok(Some(micros)),
            _ => Ok(None),
        }
    }

    fn value<'a>(&self, raw: &[Option<&'a str>], column: usize) -> Result<Value<'a>, Rejection> {
        match raw[column] {
            None => Ok(Value::Null),
            Some(text) => json_leaf::parse(text, self.definition.columns[column].column_type)
                .map_err(|reason| self.about(column, &format!(": {reason}"))),
        }
    }

    fn about(&self, column: usize, what: &str) -> Rejection {
        let name = &self.definition.columns[column].name;
        let space = if what.starts_with(':') { "" } else { " " };
        Rejection(format!("column '{name}'{space}{what}"))
    }
}

impl Node {
    /// The member at the end of a path, made if there is none.
    fn reach(&mut self, path: &[&str]) -> &mut Member {
        let (first, rest) = path.split_first().unwrap_or((&"", &[]));
        let index = self.members.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
            self.members.push(((*first).to_owned(), Member::default()));
            self.members.len() - 1
        });
        let member = &mut self.members[index].1;
        if rest.is_empty() { member } else { member.below.get_or_insert_default().reach(rest) }
    }
}

/// The texts found for the definition's columns.
struct Found<'de> {
    /// One for each column, and one for the exact end.
    raw: Vec<Option<&'de str>>,
    each: Option<&'de str>,
    ignored: u64,
}

impl Found<'_> {
    fn new(columns: usize) -> Self {
        Found { raw: vec![None; columns], each: None, ignored: 0 }
    }
}

fn parse_object<'de>(text: &'de str, node: &Node, found: &mut Found<'de>) -> Result<(), Rejection> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = ObjectSeed { node, found }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    outcome.map_err(|e| Rejection(format!("not an acceptable JSON object: {e}")))
}

/// Walks an object along a node and keeps the text of what the node names.
struct ObjectSeed<'a, 'de> {
    node: &'a Node,
    found: &'a mut Found<'de>,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = vec![false; self.node.members.len()];
        while let Some(member) = map.next_key_seed(MemberSeed(self.node))? {
            let Some(index) = member else {
                self.found.ignored += 1;
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let (name, member) = &self.node.members[index];
            if std::mem::replace(&mut seen[index], true) {
                return Err(A::Error::custom(format!("member '{name}' appears twice")));
            }
            let text = map.next_value::<&'de RawValue>()?.get();
            if member.is_each {
                self.found.each = Some(text);
            }
            for &column in &member.columns {
                self.found.raw[column] = Some(text);
            }
            if let Some(below) = &member.below
                && text.starts_with('{')
            {
                parse_object(text, below, self.found).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}

/// Finds a member's index by its name without keeping the name.
struct MemberSeed<'a>(&'a Node);

impl<'de> DeserializeSeed<'de> for MemberSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.members.iter().position(|(member, _)| member == name))
    }
}

#[cfg(test)]
mod tests;
