//! Names that are near to a name that is not there, and putting another in its place.

use super::{TileQuery, scope::fields_of};

/// The name that was probably meant; none where all are far away.
pub fn nearest<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    let most = (name.chars().count() / 3).max(2);
    let near = names.iter().filter(|known| *known != name).map(|known| (distance(name, known), known));
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// How many letters have to be put in, taken out or changed, capital or not. Where one is the beginning of the other, or
/// its end, it is never far.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().take(64).collect::<Vec<char>>();
    let (a, b) = (letters(a), letters(b));
    let shorter = a.len().min(b.len());
    if shorter >= 4 && (a.starts_with(&b) || b.starts_with(&a) || a.ends_with(&b) || b.ends_with(&a)) {
        return 1;
    }
    let mut line: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut line[0], row + 1);
        for (column, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = line[column + 1];
            line[column + 1] = changed.min(line[column] + 1).min(diagonal + 1);
        }
    }
    line[b.len()]
}

/// The same question with another field wherever one is named, in formulas too.
pub fn renamed(query: &TileQuery, from: &str, to: &str) -> TileQuery {
    let mut query = query.clone();
    let swap = |name: &mut String| {
        if name == from {
            *name = to.to_owned();
        }
    };
    query.by.iter_mut().for_each(swap);
    query.measures.iter_mut().filter_map(|measure| measure.field.as_mut()).for_each(swap);
    query.filters.iter_mut().for_each(|filter| swap(&mut filter.field));
    query.distribution.iter_mut().for_each(|distribution| swap(&mut distribution.field));
    for calculated in &mut query.calculated {
        let places: Vec<(usize, usize)> =
            fields_of(&calculated.formula).into_iter().filter(|(name, _)| name == from).map(|(_, span)| span).collect();
        let mut letters: Vec<char> = calculated.formula.chars().collect();
        for (start, end) in places.into_iter().rev() {
            letters.splice(start..end, in_formula(to).chars());
        }
        calculated.formula = letters.into_iter().collect();
    }
    query
}

/// A name as a formula says it.
pub fn in_formula(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !["and", "or", "not", "null", "true", "false"].iter().any(|word| name.eq_ignore_ascii_case(word));
    if plain { name.to_owned() } else { format!("[{}]", name.replace(']', "]]")) }
}
