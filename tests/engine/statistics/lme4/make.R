# What lme4 makes of the tables beside this file: Rscript make.R, in this folder. Tests read expected.json.
# Needs lme4 and jsonlite (Debian: r-cran-lme4, r-cran-jsonlite).
#
# crossed.csv: 3000 answers of 30 people to 20 images, 2 conditions (random intercepts; kept as it is).
# cbpp.csv: lme4's own data, sick cattle by herd and period.
# slopes.csv, singular.csv: written here, 40 people who see 4 of 20 images in each of 2 conditions, with and without
# slopes.
suppressMessages(library(lme4))
library(jsonlite)

write.csv(cbpp, "cbpp.csv", row.names = FALSE, quote = FALSE)

draw <- function(file, seed, people, images, each, person, image, person_slope, image_slope, effect) {
  set.seed(seed)
  d <- expand.grid(who = 1:people, img = 1:images, c = 0:1)
  turn <- (d$img + d$who * each) %% images
  d <- d[turn >= d$c * each & turn < (d$c + 1) * each, ]
  z <- d$c - .5
  eta <- -.6 + effect * z + rnorm(people, 0, person)[d$who] + rnorm(images, 0, image)[d$img] +
    z * (rnorm(people, 0, person_slope)[d$who] + rnorm(images, 0, image_slope)[d$img])
  d$y <- rbinom(nrow(d), 1, plogis(eta))
  write.csv(d, file, row.names = FALSE, quote = FALSE)
}
draw("slopes.csv", 5, 40, 20, 8, 1, 1, 1.2, 1.2, .8)
draw("singular.csv", 1, 40, 20, 4, 1, 1, 0, 0, .5)

herds <- read.csv("cbpp.csv")
herds$period <- factor(herds$period)
table_of <- function(file) within(read.csv(file), z <- c - .5)
tight <- glmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e5, rhoend = 1e-8), tolPwrss = 1e-10)

report <- function(formula, data, link) {
  m <- suppressMessages(suppressWarnings(glmer(formula, data, binomial(link), control = tight)))
  v <- as.data.frame(VarCorr(m))
  name <- ifelse(v$var1 == "(Intercept)", sub("[.].*", "", v$grp), paste(sub("[.].*", "", v$grp), v$var1))
  list(
    deviance = -2 * as.numeric(logLik(m)), fixed = unname(fixef(m)),
    errors = unname(sqrt(diag(as.matrix(vcov(m, use.hessian = FALSE))))),
    joint_errors = unname(sqrt(diag(as.matrix(vcov(m, use.hessian = TRUE))))),
    deviations = as.list(setNames(v$sdcor, name)), singular = isSingular(m)
  )
}

of_herds <- cbind(incidence, size - incidence) ~ period + (1 | herd)
intercepts <- y ~ z + (1 | who) + (1 | img)
both <- y ~ z + (1 | who) + (0 + z | who) + (1 | img) + (0 + z | img)
none <- y ~ 1 + (1 | who) + (0 + z | who) + (1 | img) + (0 + z | img)
crossed <- table_of("crossed.csv")
slopes <- table_of("slopes.csv")
singular <- table_of("singular.csv")
out <- list(
  "cbpp logit" = report(of_herds, herds, "logit"), "cbpp probit" = report(of_herds, herds, "probit"),
  "crossed logit intercepts" = report(intercepts, crossed, "logit"),
  "crossed probit both" = report(both, crossed, "probit"),
  "slopes logit both" = report(both, slopes, "logit"), "slopes logit none" = report(none, slopes, "logit"),
  "slopes probit both" = report(both, slopes, "probit"),
  "singular logit both" = report(both, singular, "logit"), "singular logit none" = report(none, singular, "logit")
)
# The interval from the profile of the likelihood: where the deviance with z held is qchisq(.95, 1) higher.
held <- function(b, data) {
  data$held <- b * data$z
  m <- suppressMessages(suppressWarnings(glmer(update(none, . ~ . + offset(held)), data, binomial, control = tight)))
  -2 * as.numeric(logLik(m))
}
fitted <- out[["slopes logit both"]]
end <- function(far) {
  over <- function(b) held(b, slopes) - fitted$deviance - qchisq(.95, 1)
  uniroot(over, sort(c(fitted$fixed[2], fitted$fixed[2] + far * fitted$errors[2])), tol = 1e-5)$root
}
out[["slopes logit both"]]$profile <- c(end(-4), end(4))
out$lme4 <- as.character(packageVersion("lme4"))
write(toJSON(out, auto_unbox = TRUE, digits = 10, pretty = TRUE), "expected.json")
