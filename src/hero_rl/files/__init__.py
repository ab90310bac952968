"""Files that are never half-written: rows, whole files, resumable files, what a run was made with."""
