package ledger

// A Keeping is what a hospital says about the payloads of another that it keeps copies
// of, and about those that it refuses. The last one replaces those before.
type Keeping struct {
	Keeper       string    `json:"keeper"` // MSP of the hospital that says so; the ledger sets it
	Home         string    `json:"home"`   // MSP of the hospital whose payloads they are
	Kept         int64     `json:"kept"`   // bytes
	Budget       int64     `json:"budget"` // bytes
	Refused      int       `json:"refused"`
	RefusedBytes int64     `json:"refusedBytes"`
	Newest       []Refusal `json:"newest"` // of the refused payloads, at most MaxRefusals
	Time         string    `json:"time"`   // set by the ledger
}

// A Refusal is a payload that a hospital does not keep.
type Refusal struct {
	CID    string `json:"cid"`
	Size   int64  `json:"size"` // as stated on the ledger; 0 if it is not known
	Reason string `json:"reason"`
}

// Reasons of a refusal.
const (
	RefusedBudget  = "budget"  // it does not fit into the budget of its home
	RefusedSize    = "size"    // it is larger than stated, or not a payload
	RefusedMissing = "missing" // no node has served it, and too many others wait
)
