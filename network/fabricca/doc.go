// Package fabricca is a client of the REST API of Fabric CA. It asks for certificates and
// administers identities. The network uses it as a registrar, and chartseal enroll as a
// person.
//
//	ca, err := fabricca.New("https://ca.hospital-a.example:7054", rootsPEM)
//	...
//	pair, err := ca.Enroll(ctx, fabricca.Request{CA: "ca", Name: "doctor"}, secret)
//
// Keys are made here and never leave the process: the CA gets certificate requests. An
// issued certificate is refused unless it is for the key of the request. A caller that
// already has a certificate signs its requests with a [crypto.Signer], so that the key
// may live in a token.
//
// The client sends each request once, on a connection of its own, and follows no
// redirect. It does not check the chain of an issued certificate.
//
// The protocol is that of Fabric CA 1.5:
// https://hyperledger-fabric-ca.readthedocs.io/en/latest/users-guide.html
package fabricca
