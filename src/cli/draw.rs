//! Numbers as shapes made of letters. Pure.

/// From lowest to highest.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// From narrowest to widest.
const WIDTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// How wide the longest bar is.
const BAR_COLUMNS: f64 = 12.0;

/// A letter a value, as high as its share of the highest; a blank for nothing, and for none.
pub fn sparkline(values: impl Iterator<Item = Option<f64>> + Clone) -> String {
    let highest = values.clone().flatten().fold(0.0, f64::max);
    heights(values, highest)
}

/// The same for shares between 0 and 1, of which 1 is the highest there is.
pub fn share_line(shares: &[Option<f64>]) -> String {
    heights(shares.iter().copied(), 1.0)
}

fn heights(values: impl Iterator<Item = Option<f64>>, highest: f64) -> String {
    values
        .map(|value| match value {
            Some(value) if value > 0.0 => eighth(&HEIGHTS, value / highest),
            _ => ' ',
        })
        .collect()
}

/// A bar for each value, as long as its share of the highest.
pub fn bars(values: &[f64]) -> Vec<String> {
    let highest = values.iter().copied().fold(0.0, f64::max);
    values
        .iter()
        .map(|value| {
            if *value <= 0.0 {
                return String::new();
            }
            let columns = value / highest * BAR_COLUMNS;
            let mut bar = "█".repeat(columns as usize);
            if columns.fract() > 0.0 || bar.is_empty() {
                bar.push(eighth(&WIDTHS, columns.fract()));
            }
            bar
        })
        .collect()
}

/// The letter for a share above 0, the smallest included.
fn eighth(letters: &[char; 8], share: f64) -> char {
    letters[((share * 8.0).ceil() as usize).clamp(1, 8) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_by_hand() {
        let line = |values: &[f64]| sparkline(values.iter().map(|value| Some(*value)));
        assert_eq!(line(&[0.0, 1.0, 4.0, 8.0]), " ▁▄█");
        assert_eq!(line(&[0.0, 0.0]), "  ");
        assert_eq!(line(&[]), "");
        assert_eq!(
            share_line(&[Some(0.001), None, Some(0.5), Some(1.0)]),
            "▁ ▄█"
        );
        assert_eq!(
            bars(&[12.0, 6.5, 0.01, 0.0]),
            ["████████████", "██████▌", "▏", ""]
        );
        assert_eq!(bars(&[]), Vec::<String>::new());
    }
}
