//! Words that are put together: sentences that end, and names that nothing else has.

/// What is said, with a full stop where it does not end by itself.
pub fn ended(said: String) -> String {
    if said.ends_with(['.', '?', '!']) { said } else { said + "." }
}

/// A word, or the word with what stands between them and the first number from 2 on that makes it one that is not taken.
pub fn numbered(word: &str, before_number: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let (mut name, mut number) = (word.to_owned(), 2);
    while is_taken(&name) {
        name = format!("{word}{before_number}{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_once() {
        let ended = |said: &str| ended(said.to_owned());
        assert_eq!(ended("it is not there"), "it is not there.");
        assert_eq!(ended("It is not there."), "It is not there.");
        assert_eq!(ended("did you mean 'a'?"), "did you mean 'a'?");
    }

    #[test]
    fn a_name_gets_the_first_number_that_is_free() {
        let taken = ["a", "a-2", "a-4"];
        assert_eq!(numbered("a", "-", |name| taken.contains(&name)), "a-3");
        assert_eq!(numbered("b", "_", |name| taken.contains(&name)), "b");
    }
}
