package validate;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import java.util.Map;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Questionnaire;

/** What responses are answers to, by canonical with a version and without. HAPI's own support keeps no questionnaires. */
record Questionnaires(FhirContext context, Map<String, Questionnaire> byCanonical) implements IValidationSupport {
    @Override
    public FhirContext getFhirContext() {
        return context;
    }

    @Override
    public <T extends IBaseResource> T fetchResource(Class<T> type, String canonical) {
        Questionnaire found = byCanonical.get(canonical);
        return type.isInstance(found) ? type.cast(found) : null;
    }
}
