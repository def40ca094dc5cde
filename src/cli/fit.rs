//! What fits a terminal: how wide the columns of a table may be, and where a text is broken, which is
//! only ever between words. Pure.

use unicode_width::UnicodeWidthStr;

/// What stands around the values of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Lines around the table and between its columns.
    Lines,
    /// A rule below the headings.
    Rule,
}

impl Frame {
    /// How many characters of a line it takes, blanks on either side of each value included.
    fn width(self, columns: usize) -> usize {
        match self {
            Self::Lines => columns * 3 + 1,
            Self::Rule => columns * 2,
        }
    }
}

/// What a column takes, in characters, without what stands around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// If it is no narrower, no word is broken.
    pub least: usize,
    /// If it is so wide, nothing is.
    pub most: usize,
}

impl Need {
    /// Of a text that may be broken between words.
    pub fn words(text: &str) -> Self {
        Self {
            least: text.split(' ').map(width).max().unwrap_or_default(),
            most: width(text),
        }
    }

    /// Of what must stay in one piece.
    pub fn whole(text: &str) -> Self {
        Self::exactly(width(text))
    }

    /// Of what is so wide, whatever it holds.
    pub fn exactly(width: usize) -> Self {
        Self {
            least: width,
            most: width,
        }
    }

    /// Of both in one column.
    pub fn and(self, other: Self) -> Self {
        Self {
            least: self.least.max(other.least),
            most: self.most.max(other.most),
        }
    }
}

/// How wide a text is on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The widths of the columns of a table in so much room; none if something would have to be broken. The
/// widest columns are narrowed first. None has no width at all.
pub fn widths(needs: &[Need], frame: Frame, room: usize) -> Option<Vec<usize>> {
    let room = room.checked_sub(frame.width(needs.len()))?;
    let up_to = |level: usize| -> Vec<usize> {
        let narrowed = needs.iter().map(|need| need.most.min(level));
        let narrowed = narrowed
            .zip(needs)
            .map(|(width, need)| width.max(need.least));
        narrowed.map(|width| width.max(1)).collect()
    };
    (0..=room)
        .rev()
        .map(up_to)
        .find(|widths| widths.iter().sum::<usize>() <= room)
}

/// A text in lines no wider than that, as far as its words are not.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_are_narrowed_first_and_no_word_is_broken() {
        let need = |least, most| Need { least, most };
        let needs = [need(5, 5), need(3, 20), need(4, 10)];
        let lines = |needs: &[Need], room| widths(needs, Frame::Lines, room);
        assert_eq!(lines(&needs, 45), Some(vec![5, 20, 10]));
        assert_eq!(lines(&needs, 44), Some(vec![5, 19, 10]));
        assert_eq!(lines(&needs, 29), Some(vec![5, 7, 7]));
        assert_eq!(lines(&needs, 22), Some(vec![5, 3, 4]));
        assert_eq!(lines(&needs, 21), None);
        assert_eq!(lines(&needs, 3), None);
        assert_eq!(widths(&needs, Frame::Rule, 18), Some(vec![5, 3, 4]));
        assert_eq!(widths(&needs, Frame::Rule, 17), None);
        assert_eq!(lines(&[], 20), Some(vec![]));
        assert_eq!(lines(&[need(0, 0)], 20), Some(vec![1]));
    }

    #[test]
    fn what_a_column_takes() {
        let need = |least, most| Need { least, most };
        assert_eq!(Need::words("held from (UTC)"), need(5, 15));
        assert_eq!(Need::whole("2h 14m"), need(6, 6));
        assert_eq!(Need::words("").and(Need::words("東京 x")), need(4, 6));
    }

    #[test]
    fn a_text_is_broken_between_words() {
        assert_eq!(wrapped("", 20), [""]);
        assert_eq!(wrapped("to be or not", 20), ["to be or not"]);
        assert_eq!(wrapped("to be or not", 8), ["to be or", "not"]);
        assert_eq!(
            wrapped("at https://host.example/long now", 8),
            ["at", "https://host.example/long", "now"]
        );
    }
}
