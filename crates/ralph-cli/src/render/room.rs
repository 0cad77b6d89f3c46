//! How much text for people an answer may still have.

use crate::error::CliError;
use crate::ui::{Text, Ui};

/// Less than that says nothing.
const LEAST: usize = 100;

/// The room that `--max-tokens` leaves for text, and what did not fit into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// In bytes; nothing is no limit.
    left: Option<usize>,
    shown: usize,
    whole: usize,
}

impl Room {
    /// A token is at least three bytes in practically all text; what is said about the answer takes
    /// some hundred.
    pub(crate) fn new(max_tokens: Option<usize>) -> Self {
        let bytes = |tokens: usize| tokens.saturating_mul(3).saturating_sub(300).max(LEAST);
        Self { left: max_tokens.map(bytes), shown: 0, whole: 0 }
    }

    /// As much of a text as there is room for.
    #[must_use]
    pub(crate) fn fit(&mut self, text: Text) -> Text {
        let Some(left) = self.left else { return text };
        let whole = text.len();
        let text = text.clipped(left);
        let shown = text.len();
        self.left = Some(left.saturating_sub(shown));
        self.shown += shown;
        self.whole += whole;
        text
    }

    /// Prints as much of these texts, as [`Ui::print_all`], as there is room for.
    pub(crate) fn print(
        &mut self,
        ui: &Ui,
        texts: impl Iterator<Item = Text>,
    ) -> Result<(), CliError> {
        match self.left {
            None => ui.print_all(texts),
            Some(_) => ui.print(self.fit(texts.fold(Text::new(), |all, text| all.append(&text)))),
        }
    }

    /// Says what did not fit.
    pub(crate) fn tell(self, ui: &Ui) {
        let Self { shown, whole, .. } = self;
        if shown < whole {
            ui.say(format!("Cut to {shown} of {whole} bytes, as `--max-tokens` asks."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::BOLD;

    #[test]
    fn what_has_room_stays_and_the_rest_is_counted() {
        let mut room = Room::new(Some(1));
        let long = Text::new().style(BOLD, "é".repeat(300)).line().plain("short").line();
        let shown = room.fit(long).render(false).into_owned();
        assert_eq!(shown, format!("{}…\nshort\n", "é".repeat(23)));
        assert_eq!((room.shown, room.whole), (shown.len(), 607));
        let lines = "line\n".repeat(99);
        let shown = room.fit(Text::from(&lines)).render(false).into_owned();
        assert_eq!(shown, "line\n".repeat(8) + "…\n");
        assert_eq!(room.shown, LEAST);
        assert_eq!(room.fit(Text::from("more")).len(), 0);
        let mut room = Room::new(None);
        assert_eq!(room.fit(Text::from(&lines)).len(), 494);
    }
}
