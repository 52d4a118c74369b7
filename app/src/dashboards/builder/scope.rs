//! The fields that a question can name, each as SQL: columns of the dataset, and calculated fields put in their place.

use super::{
    Calculated, Fields, Problem, ValueType,
    formula::{Checked, Context, Fault, Node, check, parse},
    literal::{Bound, quoted},
    suggest::nearest,
};

/// Characters of a formula with all that it refers to, at most.
const SQL_MOST: usize = 40_000;
/// Calculated fields at most.
const CALCULATED_MOST: usize = 60;

pub(super) struct Scope<'a> {
    pub(super) dataset: &'a str,
    pub(super) fields: &'a Fields,
    calculated: &'a [Calculated],
    /// The calculated fields that are being put in, from the outermost.
    path: Vec<String>,
    pub(super) bound: Bound,
    depth: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(dataset: &'a str, fields: &'a Fields, calculated: &'a [Calculated]) -> Scope<'a> {
        Scope { dataset, fields, calculated, path: Vec::new(), bound: Bound::default(), depth: 0 }
    }

    /// What is wrong with the calculated fields themselves, used or not.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.calculated.len() > CALCULATED_MOST {
            problems.push(Problem::at("/calculated", format!("at most {CALCULATED_MOST} fields can be calculated")));
            return problems;
        }
        for (index, Calculated { name, formula }) in self.calculated.iter().enumerate() {
            let pointer = |member: &str| format!("/calculated/{index}/{member}");
            let twice = self.calculated[..index].iter().any(|other| other.name == *name);
            if name.trim().is_empty() {
                problems.push(Problem::at(pointer("name"), "the calculated field has no name"));
            } else if twice || self.fields.get(name).is_some() {
                let reason = format!("there is a field '{name}' already; choose another name");
                problems.push(Problem::at(pointer("name"), reason));
            }
            // On its own, so that what it binds is not sent.
            let mut alone = Scope::new(self.dataset, self.fields, self.calculated);
            alone.path.push(name.clone());
            let read = parse(formula).and_then(|tree| check(&tree, &mut alone));
            problems.extend(read.err().map(|fault| of_fault(fault, pointer("formula"))));
        }
        problems
    }

    /// A field where a question names it.
    pub(super) fn named(&mut self, name: &str, pointer: &str) -> Result<Checked, Problem> {
        self.field(name, (0, 0)).map_err(|fault| Problem { span: None, ..of_fault(fault, pointer.to_owned()) })
    }

    /// The same where it has to be of each fact.
    pub(super) fn of_fact(&mut self, name: &str, pointer: &str) -> Result<(String, ValueType), Problem> {
        let Checked { sql, value, aggregated, .. } = self.named(name, pointer)?;
        if aggregated {
            let reason = format!("'{name}' is worked out of many facts, so it can only be measured");
            return Err(Problem::at(pointer, reason));
        }
        Ok((sql, value.unwrap_or(ValueType::Text)))
    }

    fn no_such(&self, name: &str, span: (usize, usize)) -> Fault {
        let names: Vec<String> = self.fields.all().iter().map(|field| field.name.clone()).collect();
        let names: Vec<String> =
            names.into_iter().chain(self.calculated.iter().map(|field| field.name.clone())).collect();
        let meant = nearest(name, &names).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
        let reason = format!("'{}' has no field '{name}'{meant}", self.dataset);
        Fault { span, missing: Some(name.to_owned()), reason }
    }

    fn worked_out(&mut self, formula: &str, name: &str, span: (usize, usize)) -> Result<Checked, Fault> {
        if self.path.iter().any(|known| known == name) {
            let first = self.path.iter().position(|known| known == name).unwrap_or_default();
            let circle: Vec<&str> = self.path[first..].iter().map(String::as_str).chain([name]).collect();
            let reason = format!("a calculated field refers to itself: {}", circle.join(" → "));
            return Err(Fault { span, missing: None, reason });
        }
        self.path.push(name.to_owned());
        let read = parse(formula).and_then(|tree| check(&tree, self));
        self.path.pop();
        // Whose place is in another formula than the one that is looked at.
        let checked = read.map_err(|fault| {
            let reason = match fault.reason.contains(" → ") || self.path.is_empty() {
                true => fault.reason.clone(),
                false => format!("in '{name}': {}", fault.reason),
            };
            Fault { span, reason, ..fault }
        })?;
        if checked.sql.len() > SQL_MOST {
            let reason = format!("'{name}' with all that it refers to is too long; calculate it in fewer steps");
            return Err(Fault { span, missing: None, reason });
        }
        Ok(checked)
    }
}

impl Context for Scope<'_> {
    fn field(&mut self, name: &str, span: (usize, usize)) -> Result<Checked, Fault> {
        if let Some(column) = self.fields.get(name) {
            let sql = format!("f.{}", quoted(name));
            return Ok(Checked {
                sql,
                value: Some(column.value),
                aggregated: false,
                of_facts: true,
                multiplied: false,
            });
        }
        let calculated = self.calculated;
        match calculated.iter().find(|field| field.name == name) {
            Some(field) => self.worked_out(&field.formula, name, span),
            None => Err(self.no_such(name, span)),
        }
    }

    fn bound(&mut self) -> &mut Bound {
        &mut self.bound
    }

    fn depth(&mut self) -> &mut usize {
        &mut self.depth
    }
}

fn of_fault(fault: Fault, pointer: String) -> Problem {
    Problem { pointer, span: Some(fault.span), missing: fault.missing, reason: fault.reason }
}

/// The fields that a formula names, with their places in it; none where it cannot be read.
pub(super) fn fields_of(formula: &str) -> Vec<(String, (usize, usize))> {
    let mut found = Vec::new();
    if let Ok(tree) = parse(formula) {
        let mut open = vec![&tree];
        while let Some(part) = open.pop() {
            match &part.node {
                Node::Field(name) => found.push((name.clone(), part.span)),
                Node::Negative(inside) | Node::Not(inside) => open.push(inside),
                Node::Binary(_, left, right) => open.extend([&**left, &**right]),
                Node::Call(_, arguments) => open.extend(arguments),
                Node::Null | Node::Truth(_) | Node::Number(_) | Node::Text(_) => {}
            }
        }
    }
    found.sort_by_key(|(_, span)| span.0);
    found
}
