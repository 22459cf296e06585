//! A new layout as a small change.

use crate::{protocol::TextEdit, text::Text};

/// The change that makes one text of another: all between the lines that both begin and end with.
pub(crate) fn change(old: &Text, new: &str) -> Option<TextEdit> {
    let text = old.as_str();
    if text == new {
        return None;
    }
    let mut start = 0;
    for (mine, other) in text.split_inclusive('\n').zip(new.split_inclusive('\n')) {
        if mine != other {
            break;
        }
        start += mine.len();
    }
    let (text_rest, new_rest) = (text.get(start..)?, new.get(start..)?);
    let mut end = 0;
    let mine = text_rest.split_inclusive('\n').rev();
    for (mine, other) in mine.zip(new_rest.split_inclusive('\n').rev()) {
        if mine != other {
            break;
        }
        end += mine.len();
    }
    let range = old.range(start..text.len() - end);
    let new_text = new_rest.get(..new_rest.len() - end)?.to_owned();
    Some(TextEdit { range, new_text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Encoding;

    #[test]
    fn the_change_leads_from_one_text_to_the_other_and_spares_equal_lines() {
        for (old, new) in [
            ("a\nb\nc\n", "a\n b\nc\n"),
            ("a\n\n\nb", "a\n\nb\n"),
            ("", "a\n"),
            ("a\na\n", "a\n"),
            ("ü\r\nb\n", "ü\nb\n"),
        ] {
            let text = Text::new(old.into(), Encoding::Utf16);
            let edit = change(&text, new).unwrap();
            assert_eq!(text.replaced(edit.range, &edit.new_text).as_str(), new, "{old:?}");
        }
        let text = Text::new("a\nb\nc\n".into(), Encoding::Utf16);
        assert_eq!(change(&text, "a\n b\nc\n").unwrap().new_text, " b\n");
        assert!(change(&text, "a\nb\nc\n").is_none());
    }
}
