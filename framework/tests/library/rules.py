REASONS = {"get_book": ("BOOK_NOT_FOUND",), "add_book": (), "logout": ()}
