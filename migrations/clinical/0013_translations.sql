-- A questionnaire's texts in other languages, beside the definition that the digest is of.

ALTER TABLE clinical.questionnaire_version
    -- of the definition's own texts; BCP 47, in lower case
    ADD COLUMN language text NOT NULL DEFAULT 'en' CHECK (language ~ '^[a-z]{2,3}(-[a-z0-9]{1,8})*$');

CREATE TABLE clinical.questionnaire_translation (
    questionnaire_version_id uuid NOT NULL REFERENCES clinical.questionnaire_version,
    -- BCP 47, in lower case
    language                 text NOT NULL CHECK (language ~ '^[a-z]{2,3}(-[a-z0-9]{1,8})*$'),
    -- by the place of the text in the definition, as a JSON pointer (RFC 6901): {"/items/0/text": "..."}
    texts                    jsonb NOT NULL CHECK (jsonb_typeof(texts) = 'object' AND texts ? '/title'
                                 AND NOT jsonb_path_exists(texts, 'strict $.* ? (@.type() != "string")')
                                 AND octet_length(texts::text) <= 1048576),
    PRIMARY KEY (questionnaire_version_id, language)
);
-- As frozen as what it translates.
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON clinical.questionnaire_translation
FOR EACH ROW EXECUTE FUNCTION clinical.refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON clinical.questionnaire_translation
FOR EACH STATEMENT EXECUTE FUNCTION clinical.refuse_change();
GRANT SELECT ON clinical.questionnaire_translation TO data_svc;

-- The translation into the language that a reader wants most of those there are; none where that is the definition's own,
-- or where there is none. Languages in lower case, the most wanted first.
CREATE FUNCTION clinical.translation(subject uuid, wanted text[]) RETURNS TABLE (language text, texts jsonb)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
-- As text: a parsed body would keep PostgreSQL 17 from adding columns to the tables.
AS $$
    SELECT translation.language, translation.texts
    FROM clinical.questionnaire_translation AS translation
    JOIN clinical.questionnaire_version AS original USING (questionnaire_version_id)
    WHERE questionnaire_version_id = subject
      AND array_position(wanted, translation.language)
          < coalesce(array_position(wanted, original.language), cardinality(wanted) + 1)
    ORDER BY array_position(wanted, translation.language)
    LIMIT 1
$$;
