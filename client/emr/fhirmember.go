package emr

// A member is a string of an object that is judged together with its other members.
type member int

const (
	fhirResourceType member = iota
	fhirID
	fhirSystem
	fhirCode
	fhirValue
	fhirReference
	fhirReferenceType
	fhirDisplay
	fhirTitle
	fhirDescription
	fhirName
	fhirBirthDate
	fhirStatus
	fhirIntent
	fhirText
	fhirStart
	fhirEnd
	fhirURL
	fhirFullURL
	fhirFamily
	fhirValueDate
	memberCount = iota
)

// memberOf returns the member of a key.
func memberOf(key string) (member, bool) {
	switch key {
	case "resourceType":
		return fhirResourceType, true
	case "id":
		return fhirID, true
	case "system":
		return fhirSystem, true
	case "code":
		return fhirCode, true
	case "value":
		return fhirValue, true
	case "reference":
		return fhirReference, true
	case "type":
		return fhirReferenceType, true
	case "display":
		return fhirDisplay, true
	case "title":
		return fhirTitle, true
	case "description":
		return fhirDescription, true
	case "name":
		return fhirName, true
	case "birthDate":
		return fhirBirthDate, true
	case "status", "lifecycleStatus", "taken":
		return fhirStatus, true
	case "intent":
		return fhirIntent, true
	case "text":
		return fhirText, true
	case "start":
		return fhirStart, true
	case "end":
		return fhirEnd, true
	case "url":
		return fhirURL, true
	case "fullUrl":
		return fhirFullURL, true
	case "family":
		return fhirFamily, true
	case "valueDateTime", "valueDate", "valueInstant":
		return fhirValueDate, true
	}
	return 0, false
}

const maxIdentifiers = 64 // of one resource

// isAdministrative tells elements whose dates and texts are about the record or about
// names, not about what happened.
func isAdministrative(key string) bool {
	switch key {
	case "meta", "name", "address", "telecom", "contact", "identifier", "qualification", "photo", "signature", "bornPeriod":
		return true
	}
	return false
}
