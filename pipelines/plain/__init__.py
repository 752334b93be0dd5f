"""Single stages on plain files, without a run."""
