// Keeps the parts of a page live that ask for it with `data-live`.
