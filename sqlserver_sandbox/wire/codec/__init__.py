"""Between a declared type's Arrow form and its bytes on the wire, one file per family, both directions in one place.

Fixed families speak in a matrix of bytes, one row per value; variable families in one run of bytes with lengths. Nulls are
the business of the caller: their bytes are whatever is left in the buffer.
"""
