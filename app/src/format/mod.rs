//! Values as text: exact where they are exact, always with their zone or unit. Pure; nothing here reads a clock or a locale.

pub mod number;
pub mod time;
