"""English as it is read aloud: numbers, dates, money, units, addresses and abbreviations."""
