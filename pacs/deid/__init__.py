"""De-identification by PS3.15 Annex E: pure functions from a parsed file to a rewritten header.

`profile` says what is wanted, `table` holds the standard's tables, `rules` resolves both into one decision for a
(tag, VR), `header` applies them to the bytes, `pixels` and `codestream` tell where pixels may show or carry
text, `known` and `proof` look for the patient's own strings in the result.
"""
