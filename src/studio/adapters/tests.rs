//! Table, map, words and state, on overviews made by hand.
