package proxy

import (
	"encoding/json"
	"net/http"

	"github.com/chartseal/chartseal/client/ipfs"
)

// repairCall asks for a good copy of a block. The proxy answers it itself: kubo has a
// damaged copy, and would not ask other nodes for another one. A copy is replaced only if
// it does not match the CID, by one that does, so whoever asks can do no harm.
const repairCall = ipfs.RepairCall

// maxRepairs bounds the repairs that run at a time.
const maxRepairs = 4

func (p *Proxy) repair(w http.ResponseWriter, r *http.Request) {
	select {
	case p.repairs <- struct{}{}:
		defer func() { <-p.repairs }()
	case <-r.Context().Done():
		return
	}
	id := r.URL.Query().Get("arg")
	data, which, err := p.store.Repair(r.Context(), id)
	if err != nil {
		if r.Context().Err() == nil {
			p.config.Log.Error("block not repaired", "cid", id, "error", err.Error())
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		json.NewEncoder(w).Encode(map[string]any{"Message": err.Error(), "Code": 0, "Type": "error"}) // as kubo says it
		return
	}
	switch which {
	case ipfs.Replaced:
		p.config.Log.Warn("damaged block replaced", "cid", id)
	case ipfs.NotReplaced:
		p.config.Log.Error("the node does not take a good copy of a damaged block", "cid", id)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(data)
}
