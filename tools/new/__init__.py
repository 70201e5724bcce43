"""The generator behind `./run new`. Its templates are ordinary files, which a team may change."""
