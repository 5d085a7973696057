package index

// A Term is one searchable statement about a record in its normal form, such as "icd10:I21.4", "date:2019-03",
// "patient:12345" or "word:fracture". Make terms with the functions of this package: two spellings of the same
// thing have to become the same bytes, since terms are only ever compared through a PRF.
type Term string
