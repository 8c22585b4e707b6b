"""Pictures: checked, written, described and made small."""
