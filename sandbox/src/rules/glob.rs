/// Whether a text is as a pattern says, in which `*` stands for any characters and `?` for one.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    // The last star met, and how much of the text it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&character) = text.get(read) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == character => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((place, swallowed)) => {
                    star = Some((place, swallowed + 1));
                    at = place + 1;
                    read = swallowed + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(matches("*", "/export"));
        assert!(matches(
            "/identity/*",
            "/identity/resources/auth/v1/api-token"
        ));
        assert!(matches("*token*", "/api-token/token/refresh"));
        assert!(matches("/a*b*c", "/aXbXbXc"));
    }

    #[test]
    fn a_pattern_covers_the_whole_text() {
        assert!(!matches("/export", "/exports"));
        assert!(!matches("/export*x", "/export"));
        assert!(!matches("", "/"));
    }
}
