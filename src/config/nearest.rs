//! Guesses what a mistyped name was meant to be.

/// ` (did you mean "x"?)`, or nothing where no known name is near.
pub(crate) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    match nearest(name, known) {
        Some(near) => format!(" (did you mean {near:?}?)"),
        None => String::new(),
    }
}

/// The known name with the fewest edits between it and `name`, if it is not too far off.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut known = known
        .filter(|candidate| comparable(name, candidate))
        .peekable();
    known.peek()?;
    let lower = name.to_ascii_lowercase();
    known
        .map(|candidate| (edits(&lower, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance * 2 <= candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A name twice as long is too far off, and comparing it may take for ever.
fn comparable(name: &str, candidate: &str) -> bool {
    name.len() <= candidate.len() * 2
}

/// The Levenshtein distance in bytes.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *slot;
            let cost = diagonal + usize::from(x != y);
            left = cost.min(above + 1).min(left + 1);
            diagonal = above;
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn a_very_long_name_is_not_compared() {
        assert!(comparable(&"u".repeat(14), "user_id"));
        assert!(!comparable(&"u".repeat(15), "user_id"));
    }

    #[test]
    fn finds_the_name_that_was_meant() {
        let known = ["api_key", "secret", "user_id"];
        assert_eq!(nearest("apiKey", known.into_iter()), Some("api_key"));
        assert_eq!(nearest("userid", known.into_iter()), Some("user_id"));
        assert_eq!(nearest("wholly_unlike_it", known.into_iter()), None);
    }
}
