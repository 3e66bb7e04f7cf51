//! The methods by which a frozen linear layer is adapted: what they hold and what they compute. Knows neither
//! tasks nor views.

pub mod budget;
pub mod count;
