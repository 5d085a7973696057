package fabric

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	gateway "github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	gwproto "github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/wallet"
)

func bytesOf(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// endorsed is what a gateway peer gives back to be signed: a transaction with these
// writes in a namespace.
func endorsed(t *testing.T, namespace string, public []*kvrwset.KVWrite, private ...*kvrwset.KVWriteHash) *common.Envelope {
	t.Helper()
	return endorsedSets(t, common.HeaderType_ENDORSER_TRANSACTION, namespace, &kvrwset.KVRWSet{Writes: public},
		ledger.HospitalKeys, &kvrwset.HashedRWSet{HashedWrites: private})
}

func endorsedSets(t *testing.T, kind common.HeaderType, namespace string, public *kvrwset.KVRWSet, collection string, private *kvrwset.HashedRWSet) *common.Envelope {
	t.Helper()
	sets := &rwset.TxReadWriteSet{NsRwset: []*rwset.NsReadWriteSet{
		{Namespace: "_lifecycle", Rwset: bytesOf(t, &kvrwset.KVRWSet{Reads: []*kvrwset.KVRead{{Key: "namespaces/fields"}}})},
		{Namespace: namespace, Rwset: bytesOf(t, public),
			CollectionHashedRwset: []*rwset.CollectionHashedReadWriteSet{{CollectionName: collection, HashedRwset: bytesOf(t, private)}}},
	}}
	response := bytesOf(t, &peer.ProposalResponsePayload{Extension: bytesOf(t, &peer.ChaincodeAction{Results: bytesOf(t, sets), Response: &peer.Response{Status: 200}})})
	action := bytesOf(t, &peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{ProposalResponsePayload: response}})
	return &common.Envelope{Payload: bytesOf(t, &common.Payload{
		Header: &common.Header{ChannelHeader: bytesOf(t, &common.ChannelHeader{Type: int32(kind), TxId: "4f1a", ChannelId: "chartseal",
			Timestamp: timestamppb.New(time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC))})},
		Data: bytesOf(t, &peer.Transaction{Actions: []*peer.TransactionAction{{Payload: action}}}),
	})}
}

// ownerPolicy needs the owner's peer and that of one of the others.
func ownerPolicy(t *testing.T, owner string, others ...string) []byte {
	t.Helper()
	envelope := &common.SignaturePolicyEnvelope{}
	signed := func(member string) *common.SignaturePolicy {
		principal := bytesOf(t, &msp.MSPRole{MspIdentifier: member, Role: msp.MSPRole_PEER})
		envelope.Identities = append(envelope.Identities, &msp.MSPPrincipal{PrincipalClassification: msp.MSPPrincipal_ROLE, Principal: principal})
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(len(envelope.Identities) - 1)}}
	}
	outOf := func(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
	}
	own := signed(owner)
	var rest []*common.SignaturePolicy
	for _, o := range others {
		rest = append(rest, signed(o))
	}
	envelope.Rule = outOf(2, own, outOf(1, rest...))
	return bytesOf(t, envelope)
}

// TestVerify plays hospitals' peers that agree on other writes than the client asked for.
// It does not sign them.
func TestVerify(t *testing.T) {
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gw, err := gateway.Connect(&identity.X509Identity{}, gateway.WithClientConnection(conn))
	if err != nil {
		t.Fatal(err)
	}
	defer gw.Close()
	g := &Gateway{user: &wallet.User{Profile: &wallet.Profile{Chaincode: "chartseal", Members: map[string][]ledger.CertificateID{
		"HospitalA": {{}}, "HospitalB": {{}}, "HospitalC": {{}}}}}}

	expect := func(stamp) (w writes) {
		w.put("record/0a/000001", []byte("value"))
		w.wrapped("envelope/0a/000001", []byte("wrapped key"))
		return w
	}
	together := func(stamp) (w writes) {
		w = expect(stamp{})
		w.wrapped(ledger.BeginningKey([]byte("beginning")), []byte("beginning"))
		return w
	}
	hashed := func(key, value string) *kvrwset.KVWriteHash {
		k, v := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(value))
		return &kvrwset.KVWriteHash{KeyHash: k[:], ValueHash: v[:]}
	}
	hash, public := hashed("envelope/0a/000001", "wrapped key"), &kvrwset.KVWrite{Key: "record/0a/000001", Value: []byte("value")}
	other := &kvrwset.KVWriteHash{KeyHash: hash.KeyHash, ValueHash: make([]byte, 32)}
	beginning := hashed(ledger.BeginningKey([]byte("beginning")), "beginning")
	changed := &kvrwset.KVWriteHash{KeyHash: beginning.KeyHash, ValueHash: make([]byte, 32)}
	another := hashed(ledger.BeginningKey([]byte("another")), "another")
	list := func(w ...*kvrwset.KVWrite) []*kvrwset.KVWrite { return w }
	type endorsement struct {
		envelope *common.Envelope
		want     error
	}
	cases := map[string]endorsement{
		"what was asked for":   {endorsed(t, "chartseal", list(public), hash), nil},
		"nothing":              {endorsed(t, "chartseal", nil), ledger.ErrTampered},
		"no wrapped key":       {endorsed(t, "chartseal", list(public)), ledger.ErrTampered},
		"another wrapped key":  {endorsed(t, "chartseal", list(public), other), ledger.ErrTampered},
		"another value":        {endorsed(t, "chartseal", list(&kvrwset.KVWrite{Key: public.Key, Value: []byte("other")}), hash), ledger.ErrTampered},
		"another key":          {endorsed(t, "chartseal", list(&kvrwset.KVWrite{Key: "record/0b/000001", Value: public.Value}), hash), ledger.ErrTampered},
		"a deletion":           {endorsed(t, "chartseal", list(&kvrwset.KVWrite{Key: public.Key, IsDelete: true}), hash), ledger.ErrTampered},
		"one more":             {endorsed(t, "chartseal", list(public, &kvrwset.KVWrite{Key: "authority/HospitalA", Value: public.Value}), hash), ledger.ErrTampered},
		"one more wrapped key": {endorsed(t, "chartseal", list(public), hash, &kvrwset.KVWriteHash{KeyHash: make([]byte, 32), ValueHash: make([]byte, 32)}), ledger.ErrTampered},
		"a purge":              {endorsed(t, "chartseal", list(public), &kvrwset.KVWriteHash{KeyHash: hash.KeyHash, IsPurge: true}), ledger.ErrTampered},
		"another chaincode":    {endorsed(t, "_lifecycle", list(public), hash), ledger.ErrTampered},
	}
	shared := map[string]endorsement{
		"a beginning that was asked for": {endorsed(t, "chartseal", list(public), hash, beginning), nil},
		"no beginning":                   {endorsed(t, "chartseal", list(public), hash), ledger.ErrTampered},
		"the beginning alone":            {endorsed(t, "chartseal", list(public), beginning), ledger.ErrTampered},
		"a changed beginning":            {endorsed(t, "chartseal", list(public), hash, changed), ledger.ErrTampered},
		"another beginning":              {endorsed(t, "chartseal", list(public), hash, another), ledger.ErrTampered},
		"one more beginning":             {endorsed(t, "chartseal", list(public), hash, beginning, another), ledger.ErrTampered},
		"a beginning that is purged":     {endorsed(t, "chartseal", list(public), hash, &kvrwset.KVWriteHash{KeyHash: beginning.KeyHash, IsPurge: true}), ledger.ErrTampered},
	}
	check := func(name string, tc endorsement, expect func(stamp) writes) {
		t.Helper()
		tx, err := gw.NewTransaction(bytesOf(t, &gwproto.PreparedTransaction{TransactionId: "4f1a", Envelope: tc.envelope}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		s, err := g.verify("record:Create", tx, expect)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if want := (stamp{"2026-03-14T09:00:00.000000000Z", "4f1a"}); tc.want == nil && s != want {
			t.Errorf("%s: stamp %+v", name, s)
		}
	}
	for name, tc := range cases {
		check(name, tc, expect)
	}
	for name, tc := range shared {
		check(name, tc, together)
	}

	// What is asked to go has to go, in the way that was asked for, and nothing else.
	gone := func(stamp) (w writes) {
		w.put("record/0a/000001", []byte("tombstone"))
		w.delete("i/old")
		w.deleteWrapped("scope-key/a/000001")
		w.purgeWrapped("envelope/0a/000001")
		return w
	}
	keyHash := func(key string) []byte { return hashed(key, "").KeyHash }
	tombstone := &kvrwset.KVWrite{Key: "record/0a/000001", Value: []byte("tombstone")}
	deleted, emptied := &kvrwset.KVWrite{Key: "i/old", IsDelete: true}, &kvrwset.KVWrite{Key: "i/old"}
	scope := &kvrwset.KVWriteHash{KeyHash: keyHash("scope-key/a/000001"), IsDelete: true}
	purged := &kvrwset.KVWriteHash{KeyHash: keyHash("envelope/0a/000001"), IsDelete: true, IsPurge: true} // as a peer writes it
	all := list(tombstone, deleted)
	for name, tc := range map[string]endorsement{
		"all that was asked for":               {endorsed(t, "chartseal", all, scope, purged), nil},
		"a deletion by an empty value":         {endorsed(t, "chartseal", list(tombstone, emptied), scope, purged), nil},
		"a purge without the mark of a delete": {endorsed(t, "chartseal", all, scope, &kvrwset.KVWriteHash{KeyHash: purged.KeyHash, IsPurge: true}), nil},
		"no purge":                             {endorsed(t, "chartseal", all, scope), ledger.ErrTampered},
		"no deletion":                          {endorsed(t, "chartseal", list(tombstone), scope, purged), ledger.ErrTampered},
		"no private deletion":                  {endorsed(t, "chartseal", all, purged), ledger.ErrTampered},
		"a deletion instead of the purge":      {endorsed(t, "chartseal", all, scope, &kvrwset.KVWriteHash{KeyHash: purged.KeyHash, IsDelete: true}), ledger.ErrTampered},
		"a purge instead of the deletion":      {endorsed(t, "chartseal", all, &kvrwset.KVWriteHash{KeyHash: scope.KeyHash, IsPurge: true}, purged), ledger.ErrTampered},
		"a value instead of the purge":         {endorsed(t, "chartseal", all, scope, hashed("envelope/0a/000001", "kept")), ledger.ErrTampered},
		"a value instead of the deletion":      {endorsed(t, "chartseal", list(tombstone, &kvrwset.KVWrite{Key: "i/old", Value: []byte("kept")}), scope, purged), ledger.ErrTampered},
		"a deletion that has a value":          {endorsed(t, "chartseal", list(tombstone, &kvrwset.KVWrite{Key: "i/old", IsDelete: true, Value: []byte("kept")}), scope, purged), ledger.ErrTampered},
		"a purge that has a value":             {endorsed(t, "chartseal", all, scope, &kvrwset.KVWriteHash{KeyHash: purged.KeyHash, IsPurge: true, ValueHash: hash.ValueHash}), ledger.ErrTampered},
		"the purge of another key":             {endorsed(t, "chartseal", all, scope, &kvrwset.KVWriteHash{KeyHash: keyHash("envelope/0b/000001"), IsPurge: true}), ledger.ErrTampered},
		"one more purge":                       {endorsed(t, "chartseal", all, scope, purged, &kvrwset.KVWriteHash{KeyHash: keyHash("envelope/0b/000001"), IsPurge: true}), ledger.ErrTampered},
		"one more deletion":                    {endorsed(t, "chartseal", append(all, &kvrwset.KVWrite{Key: "access/0a/x", IsDelete: true}), scope, purged), ledger.ErrTampered},
		"one more private deletion":            {endorsed(t, "chartseal", all, scope, purged, &kvrwset.KVWriteHash{KeyHash: keyHash("envelope/0b/000001"), IsDelete: true}), ledger.ErrTampered},
		"purged and written":                   {endorsed(t, "chartseal", all, scope, hashed("envelope/0a/000001", "kept"), purged), ledger.ErrTampered},
		"deleted and written":                  {endorsed(t, "chartseal", list(tombstone, &kvrwset.KVWrite{Key: "i/old", Value: []byte("kept")}, deleted), scope, purged), ledger.ErrTampered},
	} {
		check(name, tc, gone)
	}

	// Ways around the write set.
	set, hashes := &kvrwset.KVRWSet{Writes: list(public)}, &kvrwset.HashedRWSet{HashedWrites: []*kvrwset.KVWriteHash{hash}}
	call := common.HeaderType_ENDORSER_TRANSACTION
	for name, tc := range map[string]endorsement{
		"what was asked for": {endorsedSets(t, call, "chartseal", set, ledger.HospitalKeys, hashes), nil},
		"another collection": {endorsedSets(t, call, "chartseal", set, "_implicit_org_HospitalB", hashes), ledger.ErrTampered},
		"a configuration":    {endorsedSets(t, common.HeaderType_CONFIG_UPDATE, "chartseal", set, ledger.HospitalKeys, hashes), ledger.ErrTampered},
		"an endorsement policy for a key": {endorsedSets(t, call, "chartseal", &kvrwset.KVRWSet{Writes: set.Writes,
			MetadataWrites: []*kvrwset.KVMetadataWrite{{Key: public.Key, Entries: []*kvrwset.KVMetadataEntry{{Name: "VALIDATION_PARAMETER"}}}}},
			ledger.HospitalKeys, hashes), ledger.ErrTampered},
		"an endorsement policy for a wrapped key": {endorsedSets(t, call, "chartseal", set, ledger.HospitalKeys, &kvrwset.HashedRWSet{
			HashedWrites: hashes.HashedWrites, MetadataWrites: []*kvrwset.KVMetadataWriteHash{{KeyHash: hash.KeyHash}}}), ledger.ErrTampered},
	} {
		check(name, tc, expect)
	}

	// A hospital's own key is given to it, and to nobody else.
	own := func(stamp) (w writes) {
		w.put("authority/HospitalA", []byte("value"))
		w.own("HospitalA", "authority/HospitalA")
		w.put("searchable", []byte("tx"))
		return w
	}
	announced := list(&kvrwset.KVWrite{Key: "authority/HospitalA", Value: []byte("value")}, &kvrwset.KVWrite{Key: "searchable", Value: []byte("tx")})
	policies := func(entries ...*kvrwset.KVMetadataWrite) *common.Envelope {
		return endorsedSets(t, call, "chartseal", &kvrwset.KVRWSet{Writes: announced, MetadataWrites: entries}, ledger.HospitalKeys, &kvrwset.HashedRWSet{})
	}
	owned := func(key, owner string, others ...string) *kvrwset.KVMetadataWrite {
		return &kvrwset.KVMetadataWrite{Key: key, Entries: []*kvrwset.KVMetadataEntry{{Name: "VALIDATION_PARAMETER", Value: ownerPolicy(t, owner, others...)}}}
	}
	for name, tc := range map[string]endorsement{
		"its own":               {policies(owned("authority/HospitalA", "HospitalA", "HospitalB", "HospitalC")), nil},
		"not given to anyone":   {policies(), ledger.ErrTampered},
		"given to another":      {policies(owned("authority/HospitalA", "HospitalB", "HospitalA", "HospitalC")), ledger.ErrTampered},
		"with a stranger":       {policies(owned("authority/HospitalA", "HospitalA", "HospitalX")), ledger.ErrTampered},
		"another key":           {policies(owned("authority/HospitalB", "HospitalA", "HospitalB")), ledger.ErrTampered},
		"one more key":          {policies(owned("authority/HospitalA", "HospitalA", "HospitalB"), owned("searchable", "HospitalA", "HospitalB")), ledger.ErrTampered},
		"twice":                 {policies(owned("authority/HospitalA", "HospitalA", "HospitalB"), owned("authority/HospitalA", "HospitalA", "HospitalC")), ledger.ErrTampered},
		"no policy of any form": {policies(&kvrwset.KVMetadataWrite{Key: "authority/HospitalA"}), ledger.ErrTampered},
	} {
		check(name, tc, own)
	}

	// Keys that are published already are left out, and no others take their place.
	publish := func(stamp) (w writes) {
		w.repeated = true
		w.put("attribute/a", []byte("1"))
		w.put("attribute/b", []byte("1"))
		return w
	}
	a, b := &kvrwset.KVWrite{Key: "attribute/a", Value: []byte("1")}, &kvrwset.KVWrite{Key: "attribute/b", Value: []byte("1")}
	for name, tc := range map[string]endorsement{
		"all keys":                {endorsed(t, "chartseal", list(a, b)), nil},
		"one is there":            {endorsed(t, "chartseal", list(b)), nil},
		"all are there":           {endorsed(t, "chartseal", nil), nil},
		"a changed key":           {endorsed(t, "chartseal", list(a, &kvrwset.KVWrite{Key: b.Key, Value: []byte("2")})), ledger.ErrTampered},
		"a key that goes":         {endorsed(t, "chartseal", list(a, &kvrwset.KVWrite{Key: b.Key, IsDelete: true})), ledger.ErrTampered},
		"one more":                {endorsed(t, "chartseal", list(a, b, public)), ledger.ErrTampered},
		"a wrapped key":           {endorsed(t, "chartseal", list(a, b), hash), ledger.ErrTampered},
		"a configuration instead": {endorsedSets(t, common.HeaderType_CONFIG_UPDATE, "chartseal", &kvrwset.KVRWSet{}, ledger.HospitalKeys, &kvrwset.HashedRWSet{}), ledger.ErrTampered},
	} {
		check(name, tc, publish)
	}
}
