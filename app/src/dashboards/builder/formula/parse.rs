//! From the text of a formula to its tree.

use super::Fault;

/// Characters that a formula has at most.
const CHARACTERS_MOST: usize = 4_000;
/// How deep parts lie inside each other at most.
const DEPTH_MOST: usize = 48;
/// How tightly comparisons bind.
const COMPARISON: u8 = 4;

/// Characters from the first to the first behind, counted from 0.
pub(in super::super) type Span = (usize, usize);

/// A part of a formula and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Expression {
    pub(in super::super) span: Span,
    pub(in super::super) node: Node,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Node {
    Null,
    Truth(bool),
    /// As it is written.
    Number(String),
    Text(String),
    Field(String),
    Negative(Box<Expression>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(String, Vec<Expression>),
}

/// What stands between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Plus,
    Minus,
    Times,
    By,
}

impl Operator {
    /// As SQL writes it, and how tightly it binds.
    pub(in super::super) fn sql(self) -> (&'static str, u8) {
        match self {
            Operator::Or => ("OR", 1),
            Operator::And => ("AND", 2),
            Operator::Equal => ("=", COMPARISON),
            Operator::NotEqual => ("<>", COMPARISON),
            Operator::Less => ("<", COMPARISON),
            Operator::AtMost => ("<=", COMPARISON),
            Operator::Greater => (">", COMPARISON),
            Operator::AtLeast => (">=", COMPARISON),
            Operator::Plus => ("+", 5),
            Operator::Minus => ("-", 5),
            Operator::Times => ("*", 6),
            Operator::By => ("/", 6),
        }
    }

    /// Whether it gives a condition of two values.
    pub(in super::super) fn compares(self) -> bool {
        self.sql().1 == COMPARISON
    }

    fn of(token: &Token) -> Option<Operator> {
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("or") => Some(Operator::Or),
            Token::Word(word) if word.eq_ignore_ascii_case("and") => Some(Operator::And),
            Token::Sign(sign) => match *sign {
                "=" => Some(Operator::Equal),
                "<>" => Some(Operator::NotEqual),
                "<" => Some(Operator::Less),
                "<=" => Some(Operator::AtMost),
                ">" => Some(Operator::Greater),
                ">=" => Some(Operator::AtLeast),
                "+" => Some(Operator::Plus),
                "-" => Some(Operator::Minus),
                "*" => Some(Operator::Times),
                "/" => Some(Operator::By),
                _ => None,
            },
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Bracketed(String),
    Number(String),
    Text(String),
    Sign(&'static str),
}

/// Parses a formula.
pub(in super::super) fn parse(text: &str) -> Result<Expression, Fault> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > CHARACTERS_MOST {
        let reason = format!("a formula has at most {CHARACTERS_MOST} characters; split it into several fields");
        return Err(Fault::new((0, characters.len()), reason));
    }
    let tokens = tokens(&characters)?;
    let mut parser = Parser { tokens, at: 0, end: characters.len(), depth: 0 };
    if parser.tokens.is_empty() {
        return Err(Fault::new((0, parser.end), "the formula is empty; write for example value / 1000"));
    }
    let whole = parser.expression(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(whole),
        Some((token, span)) => Err(Fault::new(*span, format!("{} does not belong here", told(token)))),
    }
}

/// A token for people.
fn told(token: &Token) -> String {
    match token {
        Token::Word(word) | Token::Number(word) => format!("'{word}'"),
        Token::Bracketed(name) => format!("[{name}]"),
        Token::Text(text) => format!("the text '{text}'"),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}

fn tokens(characters: &[char]) -> Result<Vec<(Token, Span)>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        let from = at;
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '\'' | '"' => Token::Text(enclosed(characters, &mut at, c)?),
            '[' => Token::Bracketed(enclosed(characters, &mut at, ']')?),
            c if c.is_ascii_digit() || (c == '.' && characters.get(at + 1).is_some_and(char::is_ascii_digit)) => {
                Token::Number(taken(characters, &mut at, |c| c.is_ascii_digit() || c == '.'))
            }
            c if c.is_alphabetic() || c == '_' => {
                Token::Word(taken(characters, &mut at, |c| c.is_alphanumeric() || c == '_'))
            }
            _ => Token::Sign(sign(characters, &mut at)?),
        };
        tokens.push((token, (from, at)));
    }
    Ok(tokens)
}

fn taken(characters: &[char], at: &mut usize, belongs: impl Fn(char) -> bool) -> String {
    let rest = &characters[*at..];
    let length = rest.iter().take_while(|c| belongs(**c)).count();
    *at += length;
    rest[..length].iter().collect()
}

/// What stands up to a closing character, which is doubled where it is meant.
fn enclosed(characters: &[char], at: &mut usize, close: char) -> Result<String, Fault> {
    let from = *at;
    let mut inside = String::new();
    *at += 1;
    loop {
        match (characters.get(*at), characters.get(*at + 1)) {
            (Some(&c), Some(&next)) if c == close && next == close => {
                inside.push(c);
                *at += 2;
            }
            (Some(&c), _) if c == close => {
                *at += 1;
                return Ok(inside);
            }
            (Some(&c), _) => {
                inside.push(c);
                *at += 1;
            }
            (None, _) => {
                return Err(Fault::new(
                    (from, characters.len()),
                    format!("what begins here does not end; add {close}"),
                ));
            }
        }
    }
}

fn sign(characters: &[char], at: &mut usize) -> Result<&'static str, Fault> {
    let (first, second) = (characters[*at], characters.get(*at + 1).copied());
    let (sign, length) = match (first, second) {
        ('<', Some('>')) | ('!', Some('=')) => ("<>", 2),
        ('<', Some('=')) => ("<=", 2),
        ('>', Some('=')) => (">=", 2),
        ('=', Some('=')) => ("=", 2),
        ('≤', _) => ("<=", 1),
        ('≥', _) => (">=", 1),
        ('≠', _) => ("<>", 1),
        ('<', _) => ("<", 1),
        ('>', _) => (">", 1),
        ('=', _) => ("=", 1),
        ('+', _) => ("+", 1),
        ('-' | '−' | '–', _) => ("-", 1),
        ('*' | '×' | '·', _) => ("*", 1),
        ('/' | '÷', _) => ("/", 1),
        ('(', _) => ("(", 1),
        (')', _) => (")", 1),
        (',' | ';', _) => (",", 1),
        _ => return Err(Fault::new((*at, *at + 1), format!("'{first}' has no meaning in a formula"))),
    };
    *at += length;
    Ok(sign)
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).map_or((self.end, self.end), |(_, span)| *span)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Sign(known)) if *known == sign);
        self.at += usize::from(there);
        there
    }

    fn wants(&mut self, sign: &str, why: &str) -> Result<(), Fault> {
        if self.takes(sign) { Ok(()) } else { Err(Fault::new(self.span(), format!("a '{sign}' is missing {why}"))) }
    }

    /// A part whose operators bind more tightly than this.
    fn expression(&mut self, least: u8) -> Result<Expression, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MOST {
            let reason = "too many parts lie inside each other; split the formula into several fields";
            return Err(Fault::new(self.span(), reason));
        }
        let mut left = self.prefixed()?;
        let mut compared = false;
        while let Some(operator) = self.peek().and_then(Operator::of) {
            let tightness = operator.sql().1;
            if tightness <= least {
                break;
            }
            if tightness == COMPARISON && std::mem::replace(&mut compared, true) {
                return Err(Fault::new(self.span(), "only two things can be compared; join comparisons with 'and'"));
            }
            self.at += 1;
            let right = self.expression(tightness)?;
            let span = (left.span.0, right.span.1);
            left = Expression { span, node: Node::Binary(operator, Box::new(left), Box::new(right)) };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefixed(&mut self) -> Result<Expression, Fault> {
        let from = self.span().0;
        if self.takes("-") {
            // Binds more tightly than a product.
            let inside = self.expression(6)?;
            return Ok(Expression { span: (from, inside.span.1), node: Node::Negative(Box::new(inside)) });
        }
        if matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case("not")) {
            self.at += 1;
            let inside = self.expression(3)?;
            return Ok(Expression { span: (from, inside.span.1), node: Node::Not(Box::new(inside)) });
        }
        self.single()
    }

    fn single(&mut self) -> Result<Expression, Fault> {
        let (token, span) = self.tokens.get(self.at).cloned().ok_or_else(|| {
            Fault::new((self.end, self.end), "the formula ends too early; a field, a number or a function is missing")
        })?;
        self.at += 1;
        let node = match token {
            Token::Number(digits) if digits.matches('.').count() > 1 => {
                return Err(Fault::new(span, format!("'{digits}' is no number")));
            }
            Token::Number(digits) => Node::Number(digits),
            Token::Text(text) => Node::Text(text),
            Token::Bracketed(name) => Node::Field(name),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                _ if self.takes("(") => return self.call(word, span.0),
                "null" => Node::Null,
                "true" => Node::Truth(true),
                "false" => Node::Truth(false),
                _ => Node::Field(word),
            },
            Token::Sign("(") => {
                let inside = self.expression(0)?;
                self.wants(")", "behind what the parenthesis holds")?;
                return Ok(Expression { span: (span.0, self.tokens[self.at - 1].1.1), node: inside.node });
            }
            token @ Token::Sign(_) => {
                let reason = format!("{} stands where a field, a number or a function should", told(&token));
                return Err(Fault::new(span, reason));
            }
        };
        Ok(Expression { span, node })
    }

    fn call(&mut self, name: String, from: usize) -> Result<Expression, Fault> {
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.expression(0)?);
                if !self.takes(",") {
                    break;
                }
            }
            self.wants(")", &format!("behind what {name} is given"))?;
        }
        let to = self.tokens[self.at - 1].1.1;
        Ok(Expression { span: (from, to), node: Node::Call(name.to_ascii_lowercase(), arguments) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tree with a parenthesis around everything.
    fn shape(expression: &Expression) -> String {
        match &expression.node {
            Node::Null => "null".to_owned(),
            Node::Truth(truth) => truth.to_string(),
            Node::Number(text) | Node::Field(text) => text.clone(),
            Node::Text(text) => format!("'{text}'"),
            Node::Negative(inside) => format!("(-{})", shape(inside)),
            Node::Not(inside) => format!("(not {})", shape(inside)),
            Node::Binary(operator, left, right) => format!("({} {} {})", shape(left), operator.sql().0, shape(right)),
            Node::Call(name, arguments) => {
                format!("{name}({})", arguments.iter().map(shape).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn read(text: &str) -> String {
        shape(&parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}")))
    }

    #[test]
    fn operators_bind_as_people_expect() {
        assert_eq!(read("a + b × c − d ÷ 2"), "((a + (b * c)) - (d / 2))");
        assert_eq!(read("-a * b"), "((-a) * b)");
        assert_eq!(read("a - b - c"), "((a - b) - c)");
        assert_eq!(read("not a = b and c or d"), "(((not (a = b)) AND c) OR d)");
        assert_eq!(read("(a + b) * c ≥ 3"), "(((a + b) * c) >= 3)");
        assert_eq!(read("If(a<>0; b/a; NULL)"), "if((a <> 0), (b / a), null)");
        assert_eq!(read("[gross value] & 1".replace(" & ", " / ").as_str()), "(gross value / 1)");
        assert_eq!(read("\"it''s\" = 'it''s'"), "('it''s' = 'it's')");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let fault = |text: &str| {
            let Fault { span, reason, .. } = parse(text).unwrap_err();
            (span, reason)
        };
        assert_eq!(fault("a + ").0, (4, 4));
        assert_eq!(fault("a b").0, (2, 3));
        assert_eq!(fault("(a").1, "a ')' is missing behind what the parenthesis holds");
        assert_eq!(fault("a $ b").0, (2, 3));
        assert_eq!(fault("'a").0, (0, 2));
        assert_eq!(fault("1.2.3").0, (0, 5));
        assert!(fault("a < b < c").1.contains("and"));
        assert!(fault("  ").1.contains("empty"));
        assert!(fault(&"(".repeat(3_000)).1.contains("inside each other"));
        assert!(fault(&"-".repeat(3_000)).1.contains("inside each other"));
        assert!(fault(&"a".repeat(5_000)).1.contains("at most"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_formula_or_has_a_place_inside_of_it(text in any::<String>()) {
            if let Err(Fault { span, .. }) = parse(&text) {
                prop_assert!(span.0 <= span.1 && span.1 <= text.chars().count());
            }
        }

        #[test]
        fn what_is_made_of_signs_and_words_never_fails_to_be_told(parts in prop::collection::vec(
            prop::sample::select(vec!["a", "(", ")", "+", "-", "not ", "and ", "1", "'x'", ",", "if(", "<", "[b]"]), 0..40)) {
            if let Err(Fault { span, reason, .. }) = parse(&parts.concat()) {
                prop_assert!(span.1 <= parts.concat().chars().count() && !reason.is_empty());
            }
        }
    }
}
