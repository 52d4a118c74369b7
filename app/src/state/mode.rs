//! How a page is shown, as its address says: with everything, to read only, or as a kiosk.

/// The address parameter.
pub const MODE: &str = "mode";

/// How a page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageMode {
    /// With everything there is.
    Usual,
    /// With the application's frame and all times, and without a way to change what the page is made of.
    Read,
    /// Without the application's frame, its tools and its controls: for a screen on a wall.
    Kiosk,
}

impl PageMode {
    /// All of them.
    pub const ALL: [PageMode; 3] = [PageMode::Usual, PageMode::Read, PageMode::Kiosk];

    /// Reads the parameter [`MODE`]. What is not understood is as usual.
    pub fn parse(parameter: Option<&str>) -> PageMode {
        let said = parameter.unwrap_or_default().trim();
        PageMode::ALL.into_iter().find(|mode| mode.word() == said).unwrap_or(PageMode::Usual)
    }

    /// The word for it in addresses.
    pub fn word(self) -> &'static str {
        match self {
            PageMode::Usual => "usual",
            PageMode::Read => "read",
            PageMode::Kiosk => "kiosk",
        }
    }

    /// The address parameter; what is usual needs none.
    pub fn parameter(self) -> Option<String> {
        (self != PageMode::Usual).then(|| self.word().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_says_reads_back_and_the_rest_is_as_usual() {
        for mode in PageMode::ALL {
            assert_eq!(PageMode::parse(mode.parameter().as_deref()), mode);
            assert_eq!(PageMode::parse(Some(mode.word())), mode);
        }
        assert_eq!(PageMode::parse(Some("wall")), PageMode::Usual);
    }
}
