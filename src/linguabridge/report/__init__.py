"""Reports: one self-contained HTML page from one or several runs, and its figures as files."""
