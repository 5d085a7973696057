package index

import (
	"slices"
	"strings"
)

// suiteKinds are the names that belong to the suite: the resource types of FHIR R4, the
// further ones of R4B and R5 and of STU3 and DSTU2, and the modalities of DICOM that are
// longer than six characters. Never change this list: kindFamily reads it, and writers
// and searchers have to agree. New names go to laterKinds.
var suiteKinds = numbered("fhir:", `
	ndjson
	Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary
	BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
	ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest
	CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
	CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement
	DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest
	EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
	FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization
	ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List Location
	Measure MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest
	MedicationStatement MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication
	MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
	MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
	MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition OperationOutcome
	Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person PlanDefinition
	Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson RequestGroup
	ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis Schedule
	SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap Subscription Substance
	SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
	SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript ValueSet
	VerificationResult VisionPrescription
	ActorDefinition AdministrableProductDefinition ArtifactAssessment BiologicallyDerivedProductDispense Citation
	ClinicalUseDefinition ConditionDefinition DeviceAssociation DeviceDispense DeviceUsage EncounterHistory EvidenceReport
	FormularyItem GenomicStudy ImagingSelection Ingredient InventoryItem InventoryReport ManufacturedItemDefinition
	MedicinalProductDefinition NutritionIntake NutritionProduct PackagedProductDefinition Permission RegulatedAuthorization
	RequestOrchestration Requirements SubscriptionStatus SubscriptionTopic SubstanceDefinition TestPlan Transport
	BodySite Conformance DataElement DeviceComponent DeviceUseRequest DiagnosticOrder EligibilityRequest EligibilityResponse
	ExpansionProfile ImagingManifest ImagingObjectSelection MedicationOrder Order OrderResponse ProcedureRequest ProcessRequest
	ProcessResponse ReferralRequest Sequence ServiceDefinition`,
	"dicom:", `CTPROTOCOL RTIMAGE RTINTENT RTRECORD RTSEGANN RTSTRUCT TEXTUREMAP XAPROTOCOL`)

// laterKinds are names that came after the suite, the newest last.
var laterKinds []string

// kindNames are all kinds that a posting names by their number, from 1. A number never
// means another name.
var kindNames = slices.Concat(suiteKinds, laterKinds)

// IsFHIRType reports whether a name is that of a resource type, of any release of FHIR
// that was there when the list was made.
func IsFHIRType(name string) bool { return fhirTypes[strings.ToLower(name)] }

// fhirTypes are FHIR's names among suiteKinds, in lower case.
var fhirTypes = func() map[string]bool {
	types := make(map[string]bool)
	for _, name := range suiteKinds {
		if name, ok := strings.CutPrefix(name, "fhir:"); ok {
			types[strings.ToLower(name)] = true
		}
	}
	return types
}()

// numbered puts each prefix before the words of the list that follows it.
func numbered(lists ...string) []string {
	var out []string
	for i := 0; i < len(lists); i += 2 {
		for _, word := range strings.Fields(lists[i+1]) {
			out = append(out, lists[i]+word)
		}
	}
	return out
}
