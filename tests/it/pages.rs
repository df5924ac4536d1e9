//! The reports, and the page in a browser.
