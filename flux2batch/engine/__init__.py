"""The engine: a Plan becomes pictures, once, through a journal that is the truth about every take."""
