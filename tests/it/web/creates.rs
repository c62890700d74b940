//! creates
