//! The functions of formulas, and how they are explained.

/// A function for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionHelp {
    /// Its name.
    pub name: &'static str,
    /// What it is given.
    pub given: &'static str,
    /// What it gives.
    pub gives: &'static str,
}

const fn help(name: &'static str, given: &'static str, gives: &'static str) -> FunctionHelp {
    FunctionHelp { name, given, gives }
}

/// All functions.
pub const FUNCTIONS: [FunctionHelp; 22] = [
    help("abs", "number", "the number without its sign"),
    help("avg", "number", "the mean over all facts"),
    help("case", "condition, value, …, otherwise", "the value behind the first condition that holds"),
    help("ceil", "number", "the next whole number that is not less"),
    help("coalesce", "value, value, …", "the first that is not null"),
    help("count", "field or nothing", "how many facts there are, or have a value"),
    help("count_distinct", "field", "how many different values there are"),
    help("day", "time", "the day of its month"),
    help("floor", "number", "the next whole number that is not greater"),
    help("greatest", "value, value, …", "the greatest of them"),
    help("if", "condition, value, otherwise", "the value where the condition holds"),
    help("least", "value, value, …", "the least of them"),
    help("length", "text", "how many characters it has"),
    help("lower", "text", "the same in small letters"),
    help("max", "field", "the greatest over all facts"),
    help("median", "number", "the one in the middle of all facts"),
    help("min", "field", "the least over all facts"),
    help("month", "time", "its month, 1 to 12"),
    help("round", "number, decimals", "the number rounded; to a whole one without decimals"),
    help("sum", "number", "all facts added up"),
    help("upper", "text", "the same in capital letters"),
    help("year", "time", "its year"),
];
