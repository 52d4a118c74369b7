//! Values as text: exact where they are exact, always with their zone or unit. Pure but for [`style`], which knows who reads;
//! nothing here reads a clock.

pub mod locale;
pub mod number;
pub mod style;
pub mod time;
pub mod value;
pub mod zone;
