//! What happened, as one value; text, Markdown, HTML and JSON are pure functions of it.
